//! The vision transformer as a whole.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend, linear_layers,
    nn::{LayerNorm, clip::ClipEncoder},
};

use super::{config::ClipVisionConfig, embedding::ClipVisionEmbeddings};
use crate::{FeatureSelection, PictureEncoder, VisionError};

/// Tokens before those of the patches.
pub(crate) const CLASS_TOKENS: usize = 1;

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

linear_layers!(ClipVision { encoder });

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
        let norm = || LayerNorm::new(self.hidden_size, self.layer_norm_eps, device);
        Ok(ClipVision {
            embeddings: ClipVisionEmbeddings::new(self, device),
            pre_layrnorm: norm(),
            encoder: ClipEncoder::new(&self.encoder(), device),
            post_layernorm: norm(),
        })
    }
}

impl<B: Backend> ClipVision<B> {
    /// The same transformer for pictures of another size, with bicubically interpolated positions
    /// (see [`interpolate_positions`](crate::interpolate_positions)).
    ///
    /// Each call resizes the positions that are there: start from the loaded module each time, for
    /// what one size has lost does not come back with the next.
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
        let last_hidden_state = self.encode(pixel_values)?;
        let [batch, _, width] = last_hidden_state.dims();
        let class = last_hidden_state.clone().slice([0..batch, 0..1, 0..width]);
        let pooled = self.post_layernorm.forward(class.reshape([batch, width]));
        Ok(ClipVisionOutput {
            last_hidden_state,
            pooled,
        })
    }

    /// The chosen states, of which LLaVA reads those before the last layer; the layers behind them
    /// are not run.
    ///
    /// # Shapes
    /// - pixel_values: `[batch, channels, image_size, image_size]`
    /// - output: `[batch, patches, hidden_size]`, one token more with the class token
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape, [`VisionError::Config`] when
    /// there is no such layer.
    pub fn select(
        &self,
        pixel_values: Tensor<B, 4>,
        selection: FeatureSelection,
    ) -> Result<Tensor<B, 3>, VisionError> {
        let all = self.encoder.layers.len();
        let layers = selection.layers(all)?.unwrap_or(all);
        let tokens = self.tokens(pixel_values)?;
        let states = self.encoder.forward_first(layers, tokens, None);
        Ok(selection.select(states, CLASS_TOKENS))
    }

    /// What the first layer reads.
    fn tokens(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError> {
        Ok(self
            .pre_layrnorm
            .forward(self.embeddings.forward(pixel_values)?))
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
        Ok(self.encoder.forward(self.tokens(pixel_values)?, None))
    }
}
