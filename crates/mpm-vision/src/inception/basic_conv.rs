//! A convolution with what follows it everywhere in Inception.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{DType, Tensor, activation::relu, backend::Backend, module, ops::ConvOptions},
};
use mpm_core::{MpmBackend, kernel::conv2d};

/// Added to the variances.
const EPSILON: f64 = 1e-3;

/// The weight of a convolution without a bias.
#[derive(Module, Debug)]
pub struct InceptionKernel<B: Backend> {
    /// `[c_out, c_in, height, width]`
    pub weight: Param<Tensor<B, 4>>,
}

/// Batch norm by the statistics of the training.
#[derive(Module, Debug)]
pub struct InceptionNorm<B: Backend> {
    /// `[channels]`
    pub weight: Param<Tensor<B, 1>>,
    /// `[channels]`
    pub bias: Param<Tensor<B, 1>>,
    /// Mean of each channel, `[channels]`.
    pub running_mean: Param<Tensor<B, 1>>,
    /// Variance of each channel, `[channels]`.
    pub running_var: Param<Tensor<B, 1>>,
}

/// Convolution, batch norm and ReLU.
#[derive(Module, Debug)]
pub struct BasicConv2d<B: Backend> {
    /// The convolution.
    pub conv: InceptionKernel<B>,
    /// The norm.
    pub bn: InceptionNorm<B>,
    stride: usize,
    /// Rows and columns of zeros around the input.
    padding: [usize; 2],
}

impl<B: Backend> BasicConv2d<B> {
    /// A convolution that keeps the size of the picture, by a border of zeros.
    pub(super) fn same(channels: [usize; 2], kernel: [usize; 2], device: &B::Device) -> Self {
        Self {
            padding: kernel.map(|size| size / 2),
            ..Self::valid(channels, kernel, 1, device)
        }
    }

    /// A convolution without a border.
    pub(super) fn valid(
        [c_in, c_out]: [usize; 2],
        [height, width]: [usize; 2],
        stride: usize,
        device: &B::Device,
    ) -> Self {
        let bound = ((c_in * height * width) as f64).sqrt().recip();
        let uniform = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        let ones = || Initializer::Ones.init([c_out], device);
        let zeros = || Initializer::Zeros.init([c_out], device);
        Self {
            conv: InceptionKernel {
                weight: uniform.init([c_out, c_in, height, width], device),
            },
            bn: InceptionNorm {
                weight: ones(),
                bias: zeros(),
                running_mean: zeros(),
                running_var: ones(),
            },
            stride,
            padding: [0, 0],
        }
    }
}

impl<B: MpmBackend> BasicConv2d<B> {
    /// # Shapes
    /// - x: `[batch, c_in, height, width]`
    /// - output: `[batch, c_out, …]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let (weight, bias) = self.folded();
        let [rows, columns] = self.padding;
        relu(if rows == columns {
            conv2d(x, weight, Some(bias), self.stride, rows)
        } else {
            let options = ConvOptions::new([self.stride; 2], self.padding, [1, 1], 1);
            module::conv2d(x, weight, Some(bias), options)
        })
    }

    /// The convolution that computes the norm as well: kernels are few values beside pictures.
    fn folded(&self) -> (Tensor<B, 4>, Tensor<B, 1>) {
        let weight = self.conv.weight.val();
        let dtype = weight.dtype();
        let wide = |parameter: &Param<Tensor<B, 1>>| parameter.val().cast(DType::F32);
        let deviation = (wide(&self.bn.running_var) + EPSILON).sqrt();
        let scale = wide(&self.bn.weight) / deviation;
        let bias = wide(&self.bn.bias) - wide(&self.bn.running_mean) * scale.clone();
        let [c_out, ..] = weight.dims();
        let weight = weight.cast(DType::F32) * scale.reshape([c_out, 1, 1, 1]);
        (weight.cast(dtype), bias.cast(dtype))
    }
}
