//! Group norm and its gradients.

use burn::tensor::{Tensor, activation::sigmoid, backend::Backend, ops::FloatTensor};

use super::{primitive, tensor, widened};
use crate::kernel::{Activation, GroupNormGrads, GroupNormOptions};

pub(in crate::kernel) fn group_norm<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    options: GroupNormOptions,
) -> FloatTensor<B> {
    let x: Tensor<B, 4> = tensor(x);
    let (dims, dtype) = (x.dims(), x.dtype());
    let (normal, _) = normalised(widened(x), options);
    let output = normal.reshape(dims) * by_channel::<B>(weight) + by_channel::<B>(bias);
    let output = match options.activation {
        Activation::Identity => output,
        Activation::Silu => output.clone() * sigmoid(output),
    };
    primitive(output.cast(dtype))
}

pub(in crate::kernel) fn group_norm_backward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: FloatTensor<B>,
    options: GroupNormOptions,
    grad: FloatTensor<B>,
) -> GroupNormGrads<FloatTensor<B>> {
    let x: Tensor<B, 4> = tensor(x);
    let (dims, dtype) = (x.dims(), x.dtype());
    let (normal, inverse) = normalised(widened(x), options);
    let grouped = normal.dims();
    let normal_4d = normal.clone().reshape(dims);
    let weight = by_channel::<B>(weight);
    let mut grad = widened(tensor::<B, 4>(grad));
    if options.activation == Activation::Silu {
        let output = normal_4d.clone() * weight.clone() + by_channel::<B>(bias);
        let gate = sigmoid(output.clone());
        let rest = gate.clone().neg().add_scalar(1.0);
        grad = grad * gate * (output * rest).add_scalar(1.0);
    }
    let over_pictures = |x: Tensor<B, 4>| -> Tensor<B, 1> {
        let sums = x.sum_dim(0).sum_dim(2).sum_dim(3);
        sums.reshape([dims[1]]).cast(dtype)
    };
    let bias_grad = over_pictures(grad.clone());
    let weight_grad = over_pictures(grad.clone() * normal_4d);
    let inner = (grad * weight).reshape(grouped);
    let mean = inner.clone().mean_dim(2);
    let slope = (inner.clone() * normal.clone()).mean_dim(2);
    let x_grad = (inner - mean - normal * slope) * inverse;
    GroupNormGrads {
        x: primitive(x_grad.reshape(dims).cast(dtype)),
        weight: primitive(weight_grad),
        bias: primitive(bias_grad),
    }
}

/// `[batch, groups, elements]` of mean 0 and variance 1, and what the deviations from the
/// mean were multiplied by.
fn normalised<B: Backend>(
    x: Tensor<B, 4>,
    options: GroupNormOptions,
) -> (Tensor<B, 3>, Tensor<B, 3>) {
    let [batch, channels, height, width] = x.dims();
    let elements = channels / options.groups * height * width;
    let x = x.reshape([batch, options.groups, elements]);
    let centred = x.clone() - x.mean_dim(2);
    let variance = centred.clone().square().mean_dim(2);
    let inverse = variance.add_scalar(options.epsilon).sqrt().recip();
    (centred * inverse.clone(), inverse)
}

/// `[channels]` as `[1, channels, 1, 1]`
fn by_channel<B: Backend>(x: FloatTensor<B>) -> Tensor<B, 4> {
    let x: Tensor<B, 1> = widened(tensor(x));
    let channels = x.dims()[0];
    x.reshape([1, channels, 1, 1])
}
