//! The vision transformer as a whole.

use burn::{
    module::Module,
    nn::{LayerNorm, LayerNormConfig},
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, nn::clip::ClipEncoder};

use super::{config::ClipVisionConfig, embedding::ClipVisionEmbeddings};
use crate::{PictureEncoder, VisionError};

/// CLIP's vision transformer; made by [`ClipVisionConfig::init`].
#[derive(Module, Debug)]
pub struct ClipVision<B: Backend> {
    /// From pixels to tokens.
    pub embeddings: ClipVisionEmbeddings<B>,
    /// Norm before the layers; checkpoints spell it so.
    pub pre_layrnorm: LayerNorm<B>,
    /// The layers.
    pub encoder: ClipEncoder<B>,
    /// Norm of the class token's last state.
    pub post_layernorm: LayerNorm<B>,
}

/// What the transformer makes of pictures.
#[derive(Clone, Debug)]
pub struct ClipVisionOutput<B: Backend> {
    /// The states of all tokens after the last layer, `[batch, 1 + patches, hidden_size]`.
    pub last_hidden_state: Tensor<B, 3>,
    /// The normalised state of the class token, `[batch, hidden_size]`.
    pub pooled: Tensor<B, 2>,
}

impl ClipVisionConfig {
    /// Makes a transformer with random weights, drawn when they are first read.
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<ClipVision<B>, VisionError> {
        self.validate()?;
        let norm = LayerNormConfig::new(self.hidden_size).with_epsilon(self.layer_norm_eps);
        Ok(ClipVision {
            embeddings: ClipVisionEmbeddings::new(self, device),
            pre_layrnorm: norm.init(device),
            encoder: ClipEncoder::new(&self.encoder(), device),
            post_layernorm: norm.init(device),
        })
    }
}

impl<B: Backend> ClipVision<B> {
    /// The same transformer for pictures of another size, with bicubically interpolated positions
    /// (see [`interpolate_positions`](crate::interpolate_positions)).
    ///
    /// # Errors
    /// [`VisionError::Config`] for a size that is not a positive multiple of the patch size, or
    /// larger than that of any model.
    pub fn with_image_size(mut self, image_size: usize) -> Result<Self, VisionError> {
        self.embeddings = self.embeddings.with_image_size(image_size)?;
        Ok(self)
    }
}

impl<B: MpmBackend> ClipVision<B> {
    /// Encodes pictures.
    ///
    /// # Shapes
    /// - pixel_values: `[batch, channels, image_size, image_size]`
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape.
    pub fn forward(&self, pixel_values: Tensor<B, 4>) -> Result<ClipVisionOutput<B>, VisionError> {
        let tokens = self
            .pre_layrnorm
            .forward(self.embeddings.forward(pixel_values)?);
        let last_hidden_state = self.encoder.forward(tokens, None);
        let [batch, _, width] = last_hidden_state.dims();
        let class = last_hidden_state.clone().slice([0..batch, 0..1, 0..width]);
        let pooled = self.post_layernorm.forward(class.reshape([batch, width]));
        Ok(ClipVisionOutput {
            last_hidden_state,
            pooled,
        })
    }
}

/// Features are the states of all tokens, the class token first.
impl<B: MpmBackend> PictureEncoder<B> for ClipVision<B> {
    fn picture_shape(&self) -> [usize; 3] {
        self.embeddings.picture_shape()
    }

    fn features_shape(&self) -> [usize; 2] {
        self.embeddings.position_embedding.weight.shape().dims()
    }

    fn encode(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError> {
        Ok(self.forward(pixel_values)?.last_hidden_state)
    }
}
