//! A convolution whose parameters start as PyTorch's do.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Tensor, backend::Backend},
};

use crate::kernel::{MpmBackend, conv2d};

/// A convolution of pictures, as PyTorch's `nn.Conv2d` with one group and without dilation.
///
/// It runs on [`kernel::conv2d`](conv2d()).
#[derive(Module, Debug)]
pub struct TorchConv2d<B: Backend> {
    /// `[c_out, c_in, kernel, kernel]`
    pub weight: Param<Tensor<B, 4>>,
    /// `[c_out]`
    pub bias: Option<Param<Tensor<B, 1>>>,
    /// Distance of neighbouring outputs in the input.
    pub stride: usize,
    /// Rows and columns of zeros around the input.
    pub padding: usize,
}

impl<B: Backend> TorchConv2d<B> {
    /// A convolution with a square kernel and a bias that starts as PyTorch's does: all values
    /// uniform in ±1/√(c_in · kernel_size²).
    pub fn new(
        [c_in, c_out]: [usize; 2],
        kernel_size: usize,
        stride: usize,
        padding: usize,
        device: &B::Device,
    ) -> Self {
        let fan_in = c_in * kernel_size * kernel_size;
        let bound = (fan_in as f64).sqrt().recip();
        let uniform = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        Self {
            weight: uniform.init([c_out, c_in, kernel_size, kernel_size], device),
            bias: Some(uniform.init([c_out], device)),
            stride,
            padding,
        }
    }

    /// Channels of the input and of the output.
    pub fn channels(&self) -> [usize; 2] {
        let shape = self.weight.shape();
        [shape[1], shape[0]]
    }
}

impl<B: MpmBackend> TorchConv2d<B> {
    /// Convolves pictures.
    ///
    /// # Shapes
    /// - x: `[batch, c_in, height, width]`
    /// - output: `[batch, c_out, (height + 2 padding - kernel_size) / stride + 1, …]`
    ///
    /// # Panics
    /// When the pictures have other channels or are smaller than the kernel.
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let bias = self.bias.as_ref().map(Param::val);
        conv2d(x, self.weight.val(), bias, self.stride, self.padding)
    }
}
