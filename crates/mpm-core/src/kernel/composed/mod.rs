//! The defaults of [`MpmBackend`](super::MpmBackend): Burn operations only.

mod attention;
mod conv2d;
mod cross_entropy;
mod group_norm;
mod quantized;

#[cfg(all(test, feature = "flex"))]
pub(super) use attention::attention_in_blocks;
pub(super) use attention::{attention, attention_backward};
pub(super) use conv2d::{conv2d, conv2d_bias_backward, conv2d_weight_backward, conv2d_x_backward};
pub(super) use cross_entropy::{cross_entropy, cross_entropy_backward};
pub(super) use group_norm::{group_norm, group_norm_backward};
pub(super) use quantized::{dequantized, quantized_linear, quantized_linear_x_backward};

use burn::tensor::{
    DType, Slice, Tensor, TensorPrimitive, activation::sigmoid, backend::Backend, ops::FloatTensor,
};
use std::{
    f64::consts::{FRAC_1_SQRT_2, PI},
    ops::Range,
};

pub(super) fn gelu<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    primitive(gelu_tensor::<B>(tensor(x)))
}

pub(super) fn gelu_backward<B: Backend>(x: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
    primitive(gelu_slope::<B>(tensor(x)) * tensor(grad))
}

pub(super) fn silu<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let x: Tensor<B, 2> = tensor(x);
    primitive(x.clone() * sigmoid(x))
}

pub(super) fn silu_backward<B: Backend>(x: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
    let x: Tensor<B, 2> = tensor(x);
    let gate = sigmoid(x.clone());
    let rest = gate.clone().neg().add_scalar(1.0);
    primitive(tensor::<B, 2>(grad) * gate * (x * rest).add_scalar(1.0))
}

pub(super) fn gated_gelu<B: Backend>(
    gate: FloatTensor<B>,
    value: FloatTensor<B>,
) -> FloatTensor<B> {
    primitive(gelu_tensor::<B>(tensor(gate)) * tensor(value))
}

pub(super) fn gated_gelu_backward<B: Backend>(
    gate: FloatTensor<B>,
    value: FloatTensor<B>,
    grad: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let (gate, grad): (Tensor<B, 2>, Tensor<B, 2>) = (tensor(gate), tensor(grad));
    let value_grad = gelu_tensor(gate.clone()) * grad.clone();
    let gate_grad = gelu_slope(gate) * (grad * tensor(value));
    (primitive(gate_grad), primitive(value_grad))
}

pub(super) fn rms_norm<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    epsilon: f64,
) -> FloatTensor<B> {
    let x: Tensor<B, 2> = tensor(x);
    let weight: Tensor<B, 1> = tensor(weight);
    let dtype = x.dtype();
    let wide = widened(x);
    let rms = root_mean_square(wide.clone(), epsilon);
    primitive((wide / rms).cast(dtype) * weight.unsqueeze())
}

pub(super) fn rms_norm_backward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    epsilon: f64,
    grad: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let x: Tensor<B, 2> = tensor(x);
    let dtype = x.dtype();
    let wide = widened(x);
    let grad = widened(tensor::<B, 2>(grad));
    let weight = widened(tensor::<B, 1>(weight));
    let rms = root_mean_square(wide.clone(), epsilon);
    let normal = wide / rms.clone();
    let weight_grad: Tensor<B, 1> = (grad.clone() * normal.clone()).sum_dim(0).squeeze_dim(0);
    let inner = grad * weight.unsqueeze();
    let mean = (inner.clone() * normal.clone()).mean_dim(1);
    let x_grad = (inner - normal * mean) / rms;
    (
        primitive(x_grad.cast(dtype)),
        primitive(weight_grad.cast(dtype)),
    )
}

pub(super) fn layer_norm_backward<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    epsilon: f64,
    grad: FloatTensor<B>,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let x: Tensor<B, 2> = tensor(x);
    let dtype = x.dtype();
    let wide = widened(x);
    let grad = widened(tensor::<B, 2>(grad));
    let weight = widened(tensor::<B, 1>(weight));
    let centred = wide.clone() - wide.mean_dim(1);
    let variance = centred.clone().square().mean_dim(1);
    let inverse = variance.add_scalar(epsilon).sqrt().recip();
    let normal = centred * inverse.clone();
    let over_rows =
        |x: Tensor<B, 2>| -> Tensor<B, 1> { x.sum_dim(0).squeeze_dim::<1>(0).cast(dtype) };
    let weight_grad = over_rows(grad.clone() * normal.clone());
    let bias_grad = over_rows(grad.clone());
    let inner = grad * weight.unsqueeze();
    let mean = inner.clone().mean_dim(1);
    let slope = (inner.clone() * normal.clone()).mean_dim(1);
    let x_grad = (inner - mean - normal * slope) * inverse;
    (
        primitive(x_grad.cast(dtype)),
        primitive(weight_grad),
        primitive(bias_grad),
    )
}

pub(super) fn linear<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
) -> FloatTensor<B> {
    let product: Tensor<B, 2> = tensor(B::float_matmul(x, B::float_transpose(weight)));
    primitive(match bias {
        Some(bias) => product + tensor::<B, 1>(bias).unsqueeze(),
        None => product,
    })
}

pub(super) fn linear_x_backward<B: Backend>(
    weight: FloatTensor<B>,
    grad: FloatTensor<B>,
) -> FloatTensor<B> {
    B::float_matmul(grad, weight)
}

pub(super) fn linear_weight_backward<B: Backend>(
    x: FloatTensor<B>,
    grad: FloatTensor<B>,
) -> FloatTensor<B> {
    B::float_matmul(B::float_transpose(grad), x)
}

pub(super) fn swapped<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_swap_dims(x, 1, 2)
}

pub(super) fn assign<B: Backend>(
    buffer: FloatTensor<B>,
    window: &[Range<usize>],
    new: FloatTensor<B>,
) -> FloatTensor<B> {
    let window: Vec<_> = window.iter().cloned().map(Slice::from).collect();
    B::float_slice_assign(buffer, &window, new)
}

fn root_mean_square<B: Backend>(x: Tensor<B, 2>, epsilon: f64) -> Tensor<B, 2> {
    x.square().mean_dim(1).add_scalar(epsilon).sqrt()
}

fn gelu_tensor<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    normal_cumulative(x.clone()) * x
}

/// The derivative of GELU, `Φ(x) + x φ(x)`.
fn gelu_slope<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let density = x.clone().square().mul_scalar(-0.5).exp();
    let density = density.mul_scalar((2.0 * PI).sqrt().recip());
    normal_cumulative(x.clone()) + x * density
}

fn normal_cumulative<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    x.mul_scalar(FRAC_1_SQRT_2)
        .erf()
        .add_scalar(1.0)
        .mul_scalar(0.5)
}

/// In f32 if the element type is narrower.
fn widened<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    match x.dtype() {
        DType::F16 | DType::BF16 => x.cast(DType::F32),
        _ => x,
    }
}

fn tensor<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}

fn primitive<B: Backend, const D: usize>(x: Tensor<B, D>) -> FloatTensor<B> {
    x.into_primitive().tensor()
}
