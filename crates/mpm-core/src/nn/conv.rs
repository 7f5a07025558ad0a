//! Convolutions of pictures.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Tensor, backend::Backend, module::conv2d, ops::ConvOptions},
};

use crate::kernel::MpmBackend;

/// A convolution with a square kernel and a bias, as PyTorch's `nn.Conv2d`.
#[derive(Module, Debug)]
pub struct TorchConv2d<B: Backend> {
    /// `[c_out, c_in, kernel_size, kernel_size]`
    pub weight: Param<Tensor<B, 4>>,
    /// `[c_out]`
    pub bias: Param<Tensor<B, 1>>,
    stride: usize,
    padding: usize,
}

impl<B: Backend> TorchConv2d<B> {
    /// A convolution that starts as PyTorch's does: all values uniform in ±1/√fan_in.
    pub fn new(
        [c_in, c_out]: [usize; 2],
        kernel_size: usize,
        stride: usize,
        padding: usize,
        device: &B::Device,
    ) -> Self {
        let bound = ((c_in * kernel_size * kernel_size) as f64).sqrt().recip();
        let uniform = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        Self {
            weight: uniform.init([c_out, c_in, kernel_size, kernel_size], device),
            bias: uniform.init([c_out], device),
            stride,
            padding,
        }
    }

    /// Channels of the input and of the output.
    pub fn channels(&self) -> [usize; 2] {
        let shape = self.weight.shape();
        [shape[1], shape[0]]
    }

    /// Zeros that are put around the input, on each side.
    pub fn padding(&self) -> usize {
        self.padding
    }
}

impl<B: MpmBackend> TorchConv2d<B> {
    /// # Shapes
    /// - x: `[batch, c_in, height, width]`
    /// - output: `[batch, c_out, (height + 2 · padding - kernel_size) / stride + 1, …]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let options = ConvOptions::new([self.stride; 2], [self.padding; 2], [1, 1], 1);
        conv2d(x, self.weight.val(), Some(self.bias.val()), options)
    }
}
