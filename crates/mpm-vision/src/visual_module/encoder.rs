//! Any encoder whose states a connector can read.

use burn::{
    module::Module,
    tensor::{DType, Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    nn::{LinearLayer, LinearLayers},
};

use crate::{
    Beit3, FeatureSelection, VisionError, beit3,
    clip::{self, ClipVision},
    siglip::SiglipVision,
};

/// A picture encoder.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one of it, and modules cannot be boxed"
)]
pub enum VisualEncoder<B: Backend> {
    /// CLIP's vision transformer.
    Clip(ClipVision<B>),
    /// SigLIP's.
    Siglip(SiglipVision<B>),
    /// BEiT-3, without queries.
    Beit3(Beit3<B>),
}

impl<B: Backend> LinearLayers<B> for VisualEncoder<B> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        match self {
            Self::Clip(encoder) => encoder.visit_linear(visit),
            Self::Siglip(encoder) => encoder.visit_linear(visit),
            Self::Beit3(encoder) => encoder.visit_linear(visit),
        }
    }
}

impl<B: Backend> VisualEncoder<B> {
    /// `[channels, height, width]` of the pictures that are taken.
    pub fn picture_shape(&self) -> [usize; 3] {
        match self {
            Self::Clip(encoder) => encoder.embeddings.picture_shape(),
            Self::Siglip(encoder) => encoder.embeddings.picture_shape(),
            Self::Beit3(encoder) => encoder.vision_embed.picture_shape(),
        }
    }

    /// Patches along a side of the picture.
    pub fn grid_size(&self) -> usize {
        match self {
            Self::Clip(encoder) => encoder.embeddings.grid_size(),
            Self::Siglip(encoder) => encoder.embeddings.grid_size(),
            Self::Beit3(encoder) => encoder.vision_embed.grid_size(),
        }
    }

    /// Number of features of a picture.
    pub fn num_features(&self, selection: FeatureSelection) -> usize {
        let class_tokens = self.class_tokens();
        self.grid_size().pow(2) + class_tokens - selection.first_token(class_tokens)
    }

    /// The dtype of the weights that are not quantized.
    pub fn dtype(&self) -> DType {
        match self {
            Self::Clip(encoder) => encoder.embeddings.class_embedding.val().dtype(),
            Self::Siglip(encoder) => encoder.embeddings.position_embedding.weight.val().dtype(),
            Self::Beit3(encoder) => encoder.vision_embed.cls_token.val().dtype(),
        }
    }

    /// Whether training keeps only the inputs of the layers and computes the rest again for the
    /// gradients.
    pub fn set_recompute(&mut self, recompute: bool) {
        match self {
            Self::Clip(encoder) => encoder.encoder.recompute = recompute,
            Self::Siglip(encoder) => encoder.encoder.recompute = recompute,
            Self::Beit3(encoder) => encoder.encoder.recompute = recompute,
        }
    }

    /// Tokens before those of the patches.
    fn class_tokens(&self) -> usize {
        match self {
            Self::Clip(_) => clip::CLASS_TOKENS,
            Self::Siglip(_) => 0,
            Self::Beit3(_) => beit3::CLASS_TOKENS,
        }
    }

    /// The same encoder for pictures of another size, with interpolated positions.
    ///
    /// # Errors
    /// [`VisionError::Config`] for a size that the encoder cannot take.
    pub fn with_image_size(self, image_size: usize) -> Result<Self, VisionError> {
        Ok(match self {
            Self::Clip(encoder) => Self::Clip(encoder.with_image_size(image_size)?),
            Self::Siglip(encoder) => Self::Siglip(encoder.with_image_size(image_size)?),
            Self::Beit3(encoder) => Self::Beit3(encoder.with_image_size(image_size)?),
        })
    }
}

impl<B: MpmBackend> VisualEncoder<B> {
    /// The chosen states. BEiT-3 has its own output only.
    ///
    /// # Shapes
    /// - pixel_values: `[batch, channels, image_size, image_size]`
    /// - output: `[batch, num_features, width]`
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape, [`VisionError::Config`] when
    /// there is no such layer.
    pub fn select(
        &self,
        pixel_values: Tensor<B, 4>,
        selection: FeatureSelection,
    ) -> Result<Tensor<B, 3>, VisionError> {
        match self {
            Self::Clip(encoder) => encoder.select(pixel_values, selection),
            Self::Siglip(encoder) => encoder.select(pixel_values, selection),
            Self::Beit3(encoder) => {
                selection.require_output()?;
                let states = encoder.forward(pixel_values, None)?;
                Ok(selection.select(states, beit3::CLASS_TOKENS))
            }
        }
    }
}
