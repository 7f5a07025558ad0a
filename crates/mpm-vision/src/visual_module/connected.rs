//! An encoder and a connector.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    nn::{LinearLayer, LinearLayers},
};

use super::encoder::VisualEncoder;
use crate::{FeatureSelection, PictureEncoder, VisionError, connector::Connector};

/// An encoder whose chosen states a connector translates for a language model.
#[derive(Module, Debug)]
pub struct ConnectedEncoder<B: Backend> {
    /// From pixels to states.
    pub encoder: VisualEncoder<B>,
    /// From states to what the language model reads.
    pub connector: Connector<B>,
    #[module(skip)]
    pub(super) features: FeatureSelection,
}

impl<B: Backend> LinearLayers<B> for ConnectedEncoder<B> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        // As Muffin's: a small part of a model, on which every token of the answer depends.
        let mut visit = |layer: LinearLayer<'_, B>| visit(layer.in_8_bits());
        self.encoder.visit_linear(&mut visit);
        self.connector.visit_linear(&mut visit);
    }
}

impl<B: Backend> ConnectedEncoder<B> {
    /// Which states the connector reads.
    pub fn feature_selection(&self) -> FeatureSelection {
        self.features
    }

    /// The same for pictures of another size. The number of features grows with them, unless the
    /// connector has queries.
    ///
    /// # Errors
    /// As [`VisualEncoder::with_image_size`].
    pub fn with_image_size(mut self, image_size: usize) -> Result<Self, VisionError> {
        self.encoder = self.encoder.with_image_size(image_size)?;
        Ok(self)
    }
}

impl<B: MpmBackend> ConnectedEncoder<B> {
    /// The encoder's states that the connector reads, `[batch, num_states, width]`.
    ///
    /// # Errors
    /// As [`VisualEncoder::select`].
    pub fn states(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError> {
        self.encoder.select(pixel_values, self.features)
    }

    /// What the connector makes of [`states`](Self::states), `[batch, num_features, d_llm]`.
    pub fn connect(&self, states: Tensor<B, 3>) -> Tensor<B, 3> {
        self.connector.forward(states, self.encoder.grid_size())
    }
}

/// Features are what the connector makes of the encoder's.
impl<B: MpmBackend> PictureEncoder<B> for ConnectedEncoder<B> {
    fn picture_shape(&self) -> [usize; 3] {
        self.encoder.picture_shape()
    }

    fn features_shape(&self) -> [usize; 2] {
        let encoder_features = self.encoder.num_features(self.features);
        self.connector.features_shape(encoder_features)
    }

    fn encode(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError> {
        Ok(self.connect(self.states(pixel_values)?))
    }
}
