//! Convolution and its gradients, by Burn's own.

use burn::tensor::{
    Tensor,
    backend::Backend,
    ops::{ConvOptions, FloatTensor},
};

use super::{primitive, tensor, widened};
use crate::kernel::Conv2dOptions;

pub(in crate::kernel) fn conv2d<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    options: Conv2dOptions,
) -> FloatTensor<B> {
    B::conv2d(x, weight, bias, burn_options(options))
}

pub(in crate::kernel) fn conv2d_x_backward<B: Backend>(
    weight: FloatTensor<B>,
    grad: FloatTensor<B>,
    x_dims: [usize; 4],
    options: Conv2dOptions,
) -> FloatTensor<B> {
    let weight: Tensor<B, 4> = tensor(weight);
    // Burn asks for its shape only
    let x: Tensor<B, 4> = Tensor::empty(x_dims, (&weight.device(), weight.dtype()));
    B::conv2d_x_backward(primitive(x), primitive(weight), grad, burn_options(options))
}

pub(in crate::kernel) fn conv2d_weight_backward<B: Backend>(
    x: FloatTensor<B>,
    grad: FloatTensor<B>,
    weight_dims: [usize; 4],
    options: Conv2dOptions,
) -> FloatTensor<B> {
    let x: Tensor<B, 4> = tensor(x);
    // Burn asks for its shape only
    let weight: Tensor<B, 4> = Tensor::empty(weight_dims, (&x.device(), x.dtype()));
    B::conv2d_weight_backward(primitive(x), primitive(weight), grad, burn_options(options))
}

pub(in crate::kernel) fn conv2d_bias_backward<B: Backend>(grad: FloatTensor<B>) -> FloatTensor<B> {
    let grad: Tensor<B, 4> = tensor(grad);
    let (channels, dtype) = (grad.dims()[1], grad.dtype());
    let sums = widened(grad).sum_dim(3).sum_dim(2).sum_dim(0);
    primitive(sums.reshape([channels]).cast(dtype))
}

fn burn_options(options: Conv2dOptions) -> ConvOptions<2> {
    let Conv2dOptions { stride, padding } = options;
    ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1)
}
