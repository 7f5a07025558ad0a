//! From pixels to tokens.

use burn::{
    module::{Initializer, Module},
    nn::{Embedding, EmbeddingConfig},
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, kernel::transposed, nn::TorchConv2d};

use super::config::SiglipVisionConfig;
use crate::{
    PositionResize, VisionError,
    check::check_holds_patch,
    interpolation::{nearest_positions, resize_positions},
};

/// Cuts a picture into whole patches, projects each and adds positions; what is left at the right
/// and at the bottom is not seen.
#[derive(Module, Debug)]
pub struct SiglipVisionEmbeddings<B: Backend> {
    /// Projection of a patch to `hidden_size`, with a bias.
    pub patch_embedding: TorchConv2d<B>,
    /// One row per patch, `[patches, hidden_size]`.
    pub position_embedding: Embedding<B>,
    image_size: usize,
    #[module(skip)]
    position_resize: PositionResize,
}

impl<B: Backend> SiglipVisionEmbeddings<B> {
    pub(super) fn new(config: &SiglipVisionConfig, device: &B::Device) -> Self {
        let (width, patch) = (config.hidden_size, config.patch_size);
        let normal = Initializer::Normal {
            mean: 0.0,
            std: (width as f64).powf(-0.5),
        };
        Self {
            patch_embedding: TorchConv2d::new(
                [config.num_channels, width],
                patch,
                patch,
                0,
                device,
            ),
            position_embedding: EmbeddingConfig::new(config.num_positions(), width)
                .with_initializer(normal)
                .init(device),
            image_size: config.image_size,
            position_resize: config.position_resize,
        }
    }

    /// `[channels, height, width]` of the pictures that are taken.
    pub fn picture_shape(&self) -> [usize; 3] {
        let [channels, _] = self.patch_embedding.channels();
        [channels, self.image_size, self.image_size]
    }

    /// Patches along a side of the picture.
    pub fn grid_size(&self) -> usize {
        self.image_size / self.patch_embedding.stride
    }

    /// The same patches over pictures of another size, see [`SiglipVisionConfig::position_resize`].
    ///
    /// # Errors
    /// [`VisionError::Config`] for a size that holds no patch, or larger than that of any model.
    pub(super) fn with_image_size(mut self, image_size: usize) -> Result<Self, VisionError> {
        let patch = self.patch_embedding.stride;
        check_holds_patch(image_size, patch)?;
        let (from, to) = (self.grid_size(), image_size / patch);
        let table = &mut self.position_embedding.weight;
        match self.position_resize {
            PositionResize::Bicubic => resize_positions(table, 0, from, to)?,
            PositionResize::Nearest => nearest_positions(table, from, to),
        }
        Ok(Self { image_size, ..self })
    }
}

impl<B: MpmBackend> SiglipVisionEmbeddings<B> {
    /// Embeds a batch of pictures. Pixels are cast to the dtype of the weights.
    ///
    /// # Shapes
    /// - pixel_values: `[batch, channels, image_size, image_size]`
    /// - output: `[batch, patches, hidden_size]`, patches row by row
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape.
    pub fn forward(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError> {
        let [_, channels, height, width] = pixel_values.dims();
        let (expected, found) = (self.picture_shape(), [channels, height, width]);
        if expected != found {
            return Err(VisionError::PictureShape { expected, found });
        }
        let dtype = self.patch_embedding.weight.val().dtype();
        let patches = self.patch_embedding.forward(pixel_values.cast(dtype));
        let positions = self.position_embedding.weight.val().unsqueeze();
        Ok(transposed(patches.flatten(2, 3)) + positions)
    }
}
