//! The defaults of [`MpmBackend`](super::MpmBackend): Burn operations only.

use burn::tensor::{
    Bool, DType, Tensor,
    activation::softmax,
    backend::Backend,
    ops::{BoolTensor, FloatTensor},
};
use std::f64::consts::FRAC_1_SQRT_2;

use super::from_primitive;

/// Stands for minus infinity in masked scores: finite, so that a row that is
/// masked throughout has finite gradients, and within the range of f16.
const MASKED_SCORE: f64 = -3.0e4;

pub(super) fn gelu<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    into_primitive(gelu_tensor::<B>(from_primitive(x)))
}

pub(super) fn gated_gelu<B: Backend>(
    gate: FloatTensor<B>,
    value: FloatTensor<B>,
) -> FloatTensor<B> {
    into_primitive(gelu_tensor::<B>(from_primitive(gate)) * from_primitive(value))
}

pub(super) fn rms_norm<B: Backend>(
    x: FloatTensor<B>,
    weight: FloatTensor<B>,
    epsilon: f64,
) -> FloatTensor<B> {
    let x: Tensor<B, 2> = from_primitive(x);
    let weight: Tensor<B, 1> = from_primitive(weight);
    let dtype = x.dtype();
    let wide = x.cast(DType::F32);
    let scale = wide.clone().square().mean_dim(1).add_scalar(epsilon).sqrt();
    into_primitive((wide / scale).cast(dtype) * weight.unsqueeze())
}

pub(super) fn attention<B: Backend>(
    query: FloatTensor<B>,
    key: FloatTensor<B>,
    value: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    hidden: Option<BoolTensor<B>>,
    scale: f64,
) -> FloatTensor<B> {
    let query: Tensor<B, 4> = from_primitive(query);
    let key: Tensor<B, 4> = from_primitive(key);
    let value: Tensor<B, 4> = from_primitive(value);
    let mut scores = query.matmul(key.transpose()).mul_scalar(scale);
    if let Some(bias) = bias {
        scores = scores + from_primitive(bias);
    }
    let weights = match hidden {
        None => softmax(scores, 3),
        Some(hidden) => {
            let hidden = Tensor::<B, 4, Bool>::from_primitive(hidden).expand(scores.dims());
            softmax(scores.mask_fill(hidden.clone(), MASKED_SCORE), 3).mask_fill(hidden, 0.0)
        }
    };
    into_primitive(weights.matmul(value))
}

fn gelu_tensor<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 2> {
    let phi = x.clone().mul_scalar(FRAC_1_SQRT_2).erf().add_scalar(1.0);
    x.mul_scalar(0.5) * phi
}

fn into_primitive<B: Backend, const D: usize>(x: Tensor<B, D>) -> FloatTensor<B> {
    x.into_primitive().tensor()
}
