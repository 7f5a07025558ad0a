//! From pixels to tokens, and the positions of tokens.
//!
//! Source: torchscale's `component/embedding.py`.

use burn::{
    module::{Initializer, Module, Param},
    nn::Embedding,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, kernel::transposed, nn::TorchConv2d};

use crate::{VisionError, check::check_image_size, config::Beit3Config, stem::ConvStem};

/// The position of the first token; torchscale keeps Fairseq's convention of
/// starting at 2, so the first two rows of a position table are never used.
pub const POSITION_OFFSET: usize = 2;

/// Cuts a picture into patches and projects each, after a class token.
#[derive(Module, Debug)]
pub struct VisionEmbedding<B: Backend> {
    /// What pictures pass before; BEiT-3 has none.
    pub stem: ConvStem<B>,
    /// Projection of a patch to `d_model`.
    pub proj: TorchConv2d<B>,
    /// The token before the patches, `[1, 1, d_model]`.
    pub cls_token: Param<Tensor<B, 3>>,
    in_channels: usize,
    image_size: usize,
}

impl<B: Backend> VisionEmbedding<B> {
    pub(crate) fn new(config: &Beit3Config, device: &B::Device) -> Self {
        let patch = config.patch_size / config.stem_stride();
        let channels = config.stem_out_channels();
        Self {
            stem: ConvStem::new(config, device),
            proj: TorchConv2d::new([channels, config.d_model], patch, patch, 0, device),
            cls_token: Initializer::Zeros.init([1, 1, config.d_model], device),
            in_channels: config.in_channels,
            image_size: config.image_size,
        }
    }

    /// `[channels, height, width]` of the pictures that are taken.
    pub fn picture_shape(&self) -> [usize; 3] {
        [self.in_channels, self.image_size, self.image_size]
    }

    /// Side of a patch in pixels.
    fn patch_size(&self) -> usize {
        self.proj.stride * self.stem.stride()
    }

    /// Patches along a side of the picture.
    pub fn grid_size(&self) -> usize {
        self.image_size / self.patch_size()
    }

    /// The same patches over pictures of another size.
    ///
    /// # Errors
    /// [`VisionError::Config`] for a size that is not a positive multiple of the patch, or larger
    /// than that of any model.
    pub(crate) fn with_image_size(self, image_size: usize) -> Result<Self, VisionError> {
        check_image_size(image_size, self.patch_size())?;
        Ok(Self { image_size, ..self })
    }
}

impl<B: MpmBackend> VisionEmbedding<B> {
    /// Embeds a batch of pictures, without positions. Pixels are cast to the
    /// dtype of the weights.
    ///
    /// # Shapes
    /// - pixel_values: `[batch, channels, image_size, image_size]`
    /// - output: `[batch, 1 + patches, d_model]`, patches row by row
    ///
    /// # Errors
    /// [`VisionError::PictureShape`] for pictures of another shape.
    pub fn forward(&self, pixel_values: Tensor<B, 4>) -> Result<Tensor<B, 3>, VisionError> {
        let [_, channels, height, width] = pixel_values.dims();
        let (expected, found) = (self.picture_shape(), [channels, height, width]);
        if expected != found {
            return Err(VisionError::PictureShape { expected, found });
        }
        let weight_dtype = self.proj.weight.val().dtype();
        Ok(self.project(self.stem.forward(pixel_values.cast(weight_dtype))))
    }

    /// Projects what the stem made of pictures.
    ///
    /// # Shapes
    /// - features: `[batch, channels, side, side]`, the output of the stem
    /// - output: `[batch, 1 + patches, d_model]`, patches row by row
    pub fn project(&self, features: Tensor<B, 4>) -> Tensor<B, 3> {
        let batch = features.dims()[0];
        let patches = self.proj.forward(features);
        let patches = transposed(patches.flatten(2, 3));
        let cls_token = self.cls_token.val();
        let d_model = cls_token.dims()[2];
        Tensor::cat(vec![cls_token.expand([batch, 1, d_model]), patches], 1)
    }
}

/// Adds the first positions of a table to tokens, `[batch, len, d_model]`.
pub(crate) fn add_positions<B: Backend>(
    tokens: Tensor<B, 3>,
    table: &Embedding<B>,
) -> Tensor<B, 3> {
    let dims @ [batch, len, d_model] = tokens.dims();
    let positions = table.weight.val();
    let positions = positions.slice(POSITION_OFFSET..POSITION_OFFSET + len);
    // One row for each picture: a row that all of them share is what backends add fastest.
    let rows: Tensor<B, 2> = tokens.reshape([batch, len * d_model]);
    (rows + positions.reshape([1, len * d_model])).reshape(dims)
}
