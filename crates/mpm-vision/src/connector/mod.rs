//! What stands between a picture encoder and a language model.
//!
//! | connector | features for each picture | source |
//! |---|---|---|
//! | [`MlpConnector`] | one per feature of the encoder | LLaVA 1.5 |
//! | [`Resampler`] | as many as it has queries | MiniCPM-V |
//!
//! [`Muffin`](crate::Muffin) has its own: queries that pass the encoder with the picture, and a
//! mapping.

mod grid_positions;
mod mlp;
mod resampler;

pub use grid_positions::grid_positions;
pub use mlp::{MlpConnector, MlpConnectorConfig};
pub use resampler::{Resampler, ResamplerConfig};

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    nn::{LinearLayer, LinearLayers},
};

/// Any connector of an encoder's features.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one of it, and modules cannot be boxed"
)]
pub enum Connector<B: Backend> {
    /// Linear layers.
    Mlp(MlpConnector<B>),
    /// Queries that read the features.
    Resampler(Resampler<B>),
}

impl<B: Backend> LinearLayers<B> for Connector<B> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        match self {
            Self::Mlp(connector) => connector.visit_linear(visit),
            Self::Resampler(connector) => connector.visit_linear(visit),
        }
    }
}

impl<B: Backend> Connector<B> {
    /// `[num_features, width]` of what comes of so many features of the encoder.
    pub fn features_shape(&self, encoder_features: usize) -> [usize; 2] {
        match self {
            Self::Mlp(connector) => [encoder_features, connector.d_out()],
            Self::Resampler(connector) => connector.query.shape().dims(),
        }
    }
}

impl<B: MpmBackend> Connector<B> {
    /// Translates an encoder's features for a language model.
    ///
    /// # Shapes
    /// - features: `[batch, num_features, d_in]`
    /// - side: the square root of `num_features` where these are patches
    /// - output: `[batch, …]` of [`features_shape`](Self::features_shape)
    ///
    /// # Panics
    /// When the features have another width, or those for a resampler are not `side²`.
    pub fn forward(&self, features: Tensor<B, 3>, side: usize) -> Tensor<B, 3> {
        match self {
            Self::Mlp(connector) => connector.forward(features),
            Self::Resampler(connector) => connector.forward(features, [side, side]),
        }
    }
}
