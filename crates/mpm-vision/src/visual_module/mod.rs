//! A picture encoder with the connector to a language model, both chosen by a configuration.
//!
//! | style | encoder | connector |
//! |---|---|---|
//! | Muffin, VisCPM-Chat | BEiT-3 | queries within the encoder, a mapping |
//! | LLaVA 1.5 | CLIP, before its last layer | linear layers |
//! | MiniCPM-V | SigLIP | a resampler |
//!
//! Other pairs are as possible, but for the queries: only BEiT-3 lets them pass its layers.

mod config;
mod connected;
mod encoder;
mod llava;
mod names;

pub use config::{
    ConnectorConfig, EncoderConfig, QueriesConfig, TransformerSize, VisualModuleConfig,
};
pub use connected::ConnectedEncoder;
pub use encoder::VisualEncoder;
pub use names::{llava_keys, minicpm_v_keys};

use burn::{
    module::Module,
    tensor::{DType, Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    nn::{LinearLayer, LinearLayers},
};

use crate::{Muffin, PictureEncoder, VisionError};

/// What gives a language model its pictures; made by [`VisualModuleConfig::init`].
///
/// Variants have no part in the names of parameters: they are `encoder.*` and `connector.*`, or
/// those of VisCPM-Chat's checkpoint.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one of it, and modules cannot be boxed"
)]
pub enum VisualModule<B: Backend> {
    /// An encoder and a connector that reads its features.
    Connected(ConnectedEncoder<B>),
    /// BEiT-3 with queries.
    Muffin(Muffin<B>),
}

impl<B: Backend> LinearLayers<B> for VisualModule<B> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        match self {
            Self::Connected(module) => module.visit_linear(visit),
            Self::Muffin(module) => module.visit_linear(visit),
        }
    }
}

impl<B: Backend> VisualModule<B> {
    /// The dtype of the weights that are not quantized, which pictures are to have.
    pub fn dtype(&self) -> DType {
        match self {
            Self::Connected(module) => module.encoder.dtype(),
            Self::Muffin(module) => module.query.val().dtype(),
        }
    }

    /// Whether training keeps only the inputs of the encoder's layers and computes the rest again
    /// for the gradients.
    pub fn set_recompute(&mut self, recompute: bool) {
        match self {
            Self::Connected(module) => module.encoder.set_recompute(recompute),
            Self::Muffin(module) => module.vpm.beit3.encoder.recompute = recompute,
        }
    }

    /// The same module for pictures of another size, with interpolated positions.
    ///
    /// # Errors
    /// [`VisionError::Config`] for a size that the encoder cannot take.
    pub fn with_image_size(self, image_size: usize) -> Result<Self, VisionError> {
        Ok(match self {
            Self::Connected(module) => Self::Connected(module.with_image_size(image_size)?),
            Self::Muffin(module) => Self::Muffin(module.with_image_size(image_size)?),
        })
    }
}

/// Features are what the language model reads, of its width.
impl<B: MpmBackend> PictureEncoder<B> for VisualModule<B> {
    fn picture_shape(&self) -> [usize; 3] {
        match self {
            Self::Connected(module) => module.picture_shape(),
            Self::Muffin(module) => module.picture_shape(),
        }
    }

    fn features_shape(&self) -> [usize; 2] {
        match self {
            Self::Connected(module) => module.features_shape(),
            Self::Muffin(module) => module.features_shape(),
        }
    }

    fn encode(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError> {
        match self {
            Self::Connected(module) => module.encode(pixel_values),
            Self::Muffin(module) => module.encode(pixel_values),
        }
    }
}

/// The example of the page, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/picture-encoders.md")]
struct PictureEncodersPage;
