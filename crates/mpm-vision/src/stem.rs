//! A convolutional stem in front of the projection of patches.
//!
//! Not in BEiT-3, which learns from hundreds of millions of pictures. With few
//! pictures, convolutions find edges and shapes that a plain projection of
//! patches does not ("Early Convolutions Help Transformers See Better",
//! <https://arxiv.org/abs/2106.14881>). [`NormalisedStem`](crate::NormalisedStem)
//! is how one is trained.

use burn::{
    module::Module,
    tensor::{Tensor, activation::relu, backend::Backend, module::max_pool2d},
};
use mpm_core::{MpmBackend, nn::TorchConv2d};

use crate::config::Beit3Config;

/// Blocks of convolution, ReLU and max pooling, each of which halves the
/// picture's side; without blocks it passes pictures on as they are.
#[derive(Module, Debug)]
pub struct ConvStem<B: Backend> {
    /// The 3 × 3 convolutions of the blocks.
    pub blocks: Vec<TorchConv2d<B>>,
}

impl<B: Backend> ConvStem<B> {
    pub(crate) fn new(config: &Beit3Config, device: &B::Device) -> Self {
        Self {
            blocks: convolutions(config, device),
        }
    }

    /// Side in pixels of what becomes one pixel.
    pub fn stride(&self) -> usize {
        1 << self.blocks.len()
    }
}

impl<B: MpmBackend> ConvStem<B> {
    /// # Shapes
    /// - pixel_values: `[batch, channels, side, side]`
    /// - output: `[batch, last block's channels, side / 2ⁿ, side / 2ⁿ]` for n blocks
    pub fn forward(&self, pixel_values: Tensor<B, 4>) -> Tensor<B, 4> {
        self.blocks.iter().fold(pixel_values, |features, block| {
            activate(block.forward(features))
        })
    }
}

/// The convolutions of a stem's blocks.
pub(crate) fn convolutions<B: Backend>(
    config: &Beit3Config,
    device: &B::Device,
) -> Vec<TorchConv2d<B>> {
    let inputs = std::iter::once(config.in_channels).chain(config.stem_channels.iter().copied());
    inputs
        .zip(&config.stem_channels)
        .map(|(input, &output)| TorchConv2d::new([input, output], 3, 1, 1, device))
        .collect()
}

/// What follows the convolution in a block.
pub(crate) fn activate<B: Backend>(features: Tensor<B, 4>) -> Tensor<B, 4> {
    max_pool2d(relu(features), [2, 2], [2, 2], [0, 0], [1, 1], false)
}
