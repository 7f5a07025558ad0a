//! From pixels to tokens.

use burn::{
    module::{Initializer, Module, Param},
    nn::{
        Embedding, EmbeddingConfig,
        conv::{Conv2d, Conv2dConfig},
    },
    tensor::{Tensor, backend::Backend},
};

use super::config::ClipVisionConfig;
use crate::{VisionError, check::check_image_size, interpolation::resize_positions};

/// Cuts a picture into patches, projects each, puts a class token before them and adds positions.
#[derive(Module, Debug)]
pub struct ClipVisionEmbeddings<B: Backend> {
    /// The token before the patches, `[hidden_size]`.
    pub class_embedding: Param<Tensor<B, 1>>,
    /// Projection of a patch to `hidden_size`.
    pub patch_embedding: Conv2d<B>,
    /// One row per token, `[1 + patches, hidden_size]`.
    pub position_embedding: Embedding<B>,
    image_size: usize,
}

impl<B: Backend> ClipVisionEmbeddings<B> {
    pub(super) fn new(config: &ClipVisionConfig, device: &B::Device) -> Self {
        let width = config.hidden_size;
        let normal = Initializer::Normal {
            mean: 0.0,
            std: (width as f64).powf(-0.5),
        };
        let patch = [config.patch_size; 2];
        Self {
            class_embedding: normal.init([width], device),
            patch_embedding: Conv2dConfig::new([config.num_channels, width], patch)
                .with_stride(patch)
                .with_bias(false)
                .init(device),
            position_embedding: EmbeddingConfig::new(config.num_positions(), width)
                .with_initializer(normal)
                .init(device),
            image_size: config.image_size,
        }
    }

    /// Embeds a batch of pictures. Pixels are cast to the dtype of the weights.
    ///
    /// # Shapes
    /// - pixel_values: `[batch, channels, image_size, image_size]`
    /// - output: `[batch, 1 + patches, hidden_size]`, patches row by row
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape.
    pub fn forward(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError> {
        let [batch, channels, height, width] = pixel_values.dims();
        let (expected, found) = (self.picture_shape(), [channels, height, width]);
        if expected != found {
            return Err(VisionError::PictureShape { expected, found });
        }
        let dtype = self.patch_embedding.weight.val().dtype();
        let patches = self.patch_embedding.forward(pixel_values.cast(dtype));
        let patches = patches.flatten::<3>(2, 3).swap_dims(1, 2);
        let class = self.class_embedding.val().unsqueeze::<3>();
        let class = class.expand([batch, 1, self.d_model()]);
        let positions = self.position_embedding.weight.val().unsqueeze();
        Ok(Tensor::cat(vec![class, patches], 1) + positions)
    }

    /// Width of a token.
    pub fn d_model(&self) -> usize {
        self.class_embedding.shape()[0]
    }

    /// `[channels, height, width]` of the pictures that are taken.
    pub fn picture_shape(&self) -> [usize; 3] {
        let channels = self.patch_embedding.weight.shape()[1];
        [channels, self.image_size, self.image_size]
    }

    /// Patches along a side of the picture.
    pub fn grid_size(&self) -> usize {
        self.image_size / self.patch_embedding.stride[0]
    }

    /// The same patches over pictures of another size, with interpolated positions.
    ///
    /// # Errors
    /// [`VisionError::Config`] for a size that is not a positive multiple of the patch, or larger
    /// than that of any model.
    pub(super) fn with_image_size(mut self, image_size: usize) -> Result<Self, VisionError> {
        let patch = self.patch_embedding.stride[0];
        check_image_size(image_size, patch)?;
        let (from, to) = (self.grid_size(), image_size / patch);
        resize_positions(&mut self.position_embedding.weight, 1, from, to)?;
        Ok(Self { image_size, ..self })
    }
}
