//! Halving and doubling pictures.
//!
//! Source: diffusers' `models/downsampling.py` and `models/upsampling.py`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, nn::TorchConv2d};

/// A 3 × 3 convolution with stride 2.
#[derive(Module, Debug)]
pub struct Downsample2D<B: Backend> {
    /// The convolution.
    pub conv: TorchConv2d<B>,
}

impl<B: Backend> Downsample2D<B> {
    /// The UNet's: a pixel of padding on each side.
    pub(crate) fn symmetric(channels: usize, device: &B::Device) -> Self {
        Self {
            conv: TorchConv2d::new([channels, channels], 3, 2, 1, device),
        }
    }

    /// The VAE's, whose padding lies to the right and below only.
    pub(crate) fn asymmetric(channels: usize, device: &B::Device) -> Self {
        Self {
            conv: TorchConv2d::new([channels, channels], 3, 2, 0, device),
        }
    }
}

impl<B: MpmBackend> Downsample2D<B> {
    /// # Shapes
    /// - x: `[batch, channels, height, width]`
    /// - output: `[batch, channels, ⌈height / 2⌉, ⌈width / 2⌉]`; without padding on all sides
    ///   `⌊ ⌋`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let x = match self.conv.padding {
            0 => x.pad((0, 1, 0, 1), 0.0),
            _ => x,
        };
        self.conv.forward(x)
    }
}

/// Nearest-neighbour doubling and a 3 × 3 convolution.
#[derive(Module, Debug)]
pub struct Upsample2D<B: Backend> {
    /// The convolution.
    pub conv: TorchConv2d<B>,
}

impl<B: Backend> Upsample2D<B> {
    pub(crate) fn new(channels: usize, device: &B::Device) -> Self {
        Self {
            conv: TorchConv2d::new([channels, channels], 3, 1, 1, device),
        }
    }
}

impl<B: MpmBackend> Upsample2D<B> {
    /// # Shapes
    /// - x: `[batch, channels, height, width]`
    /// - size: height and width of the output: the doubled ones, or one less, where the way
    ///   down had rounded up
    pub fn forward(&self, x: Tensor<B, 4>, size: [usize; 2]) -> Tensor<B, 4> {
        self.conv.forward(upsample_nearest(x, size))
    }
}

/// Doubles height and width by repeating pixels and cuts the result to `size`.
fn upsample_nearest<B: Backend>(x: Tensor<B, 4>, size: [usize; 2]) -> Tensor<B, 4> {
    let [batch, channels, height, width] = x.dims();
    let doubled = x
        .reshape([batch * channels, height, 1, width, 1])
        .expand([batch * channels, height, 2, width, 2])
        .reshape([batch, channels, 2 * height, 2 * width]);
    match size == [2 * height, 2 * width] {
        true => doubled,
        false => doubled.slice([0..batch, 0..channels, 0..size[0], 0..size[1]]),
    }
}
