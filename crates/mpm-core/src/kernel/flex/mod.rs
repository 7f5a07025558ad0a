//! Fused operations of Burn's CPU backend.
//!
//! They compute in f32 whatever the element type is. Element types other than
//! f32, f16 and bf16, and mixed ones, take the composed way.

mod assign;
mod attention;
mod attention_backward;
mod blocks;
mod conv2d;
mod cross_entropy;
mod gelu;
mod gemm;
mod group_norm;
mod half_dot;
mod heads;
mod linear;
mod lines;
mod math;
mod norm;
mod number;
mod output;
mod planes;
mod quantized;
mod scratch;
mod silu;
mod swap;
mod turn;

#[cfg(test)]
pub(super) use quantized::{few_rows_by_cpu, few_rows_portable};

use burn::{
    backend::{Flex, flex::FlexTensor},
    tensor::{DType, bf16, f16},
};
use std::ops::Range;

use super::{
    AttentionGrads, Conv2dOptions, GroupNormGrads, GroupNormOptions, MpmBackend, composed,
};

/// Calls `fused::<T>(arguments)` for the element type `T` that all of the tensors
/// in brackets have, or else `composed(arguments)`.
macro_rules! dispatch {
    ([$($tensor:expr),*], $fused:path, $composed:path, ($($argument:expr),*)) => {
        match common_dtype([$(&$tensor),*]) {
            Some(DType::F32) => { use $fused as fused; fused::<f32>($($argument),*) }
            Some(DType::F16) => { use $fused as fused; fused::<f16>($($argument),*) }
            Some(DType::BF16) => { use $fused as fused; fused::<bf16>($($argument),*) }
            _ => { use $composed as composed; composed::<Flex>($($argument),*) }
        }
    };
}

impl MpmBackend for Flex {
    fn gelu_2d(x: FlexTensor) -> FlexTensor {
        dispatch!([x], gelu::gelu, composed::gelu, (x))
    }

    fn gelu_2d_backward(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
        dispatch!(
            [x, grad],
            gelu::gelu_backward,
            composed::gelu_backward,
            (x, grad)
        )
    }

    fn silu_2d(x: FlexTensor) -> FlexTensor {
        dispatch!([x], silu::silu, composed::silu, (x))
    }

    fn silu_2d_backward(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
        dispatch!(
            [x, grad],
            silu::silu_backward,
            composed::silu_backward,
            (x, grad)
        )
    }

    fn gated_gelu_2d(gate: FlexTensor, value: FlexTensor) -> FlexTensor {
        dispatch!(
            [gate, value],
            gelu::gated_gelu,
            composed::gated_gelu,
            (gate, value)
        )
    }

    fn gated_gelu_2d_backward(
        gate: FlexTensor,
        value: FlexTensor,
        grad: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        dispatch!(
            [gate, value, grad],
            gelu::gated_gelu_backward,
            composed::gated_gelu_backward,
            (gate, value, grad)
        )
    }

    fn rms_norm_2d(x: FlexTensor, weight: FlexTensor, epsilon: f64) -> FlexTensor {
        dispatch!(
            [x, weight],
            norm::rms_norm,
            composed::rms_norm,
            (x, weight, epsilon)
        )
    }

    fn rms_norm_2d_backward(
        x: FlexTensor,
        weight: FlexTensor,
        epsilon: f64,
        grad: FlexTensor,
    ) -> (FlexTensor, FlexTensor) {
        dispatch!(
            [x, weight, grad],
            norm::rms_norm_backward,
            composed::rms_norm_backward,
            (x, weight, epsilon, grad)
        )
    }

    fn group_norm_4d(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: GroupNormOptions,
    ) -> FlexTensor {
        dispatch!(
            [x, weight, bias],
            group_norm::group_norm,
            composed::group_norm,
            (x, weight, bias, options)
        )
    }

    fn group_norm_4d_backward(
        x: FlexTensor,
        weight: FlexTensor,
        bias: FlexTensor,
        options: GroupNormOptions,
        grad: FlexTensor,
    ) -> GroupNormGrads<FlexTensor> {
        dispatch!(
            [x, weight, bias, grad],
            group_norm::group_norm_backward,
            composed::group_norm_backward,
            (x, weight, bias, options, grad)
        )
    }

    fn linear_2d(x: FlexTensor, weight: FlexTensor, bias: Option<FlexTensor>) -> FlexTensor {
        dispatch!(
            [x, weight, bias.as_ref().unwrap_or(&x)],
            linear::linear,
            composed::linear,
            (x, weight, bias)
        )
    }

    fn linear_2d_x_backward(weight: FlexTensor, grad: FlexTensor) -> FlexTensor {
        dispatch!(
            [weight, grad],
            linear::x_backward,
            composed::linear_x_backward,
            (weight, grad)
        )
    }

    fn linear_2d_weight_backward(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
        dispatch!(
            [x, grad],
            linear::weight_backward,
            composed::linear_weight_backward,
            (x, grad)
        )
    }

    fn quantized_linear_2d(
        x: FlexTensor,
        codes: FlexTensor,
        scales: FlexTensor,
        bias: Option<FlexTensor>,
    ) -> FlexTensor {
        dispatch!(
            [x, bias.as_ref().unwrap_or(&x)],
            quantized::linear,
            composed::quantized_linear,
            (x, codes, scales, bias)
        )
    }

    fn quantized_linear_2d_x_backward(
        codes: FlexTensor,
        scales: FlexTensor,
        grad: FlexTensor,
        d_in: usize,
    ) -> FlexTensor {
        dispatch!(
            [grad],
            quantized::x_backward,
            composed::quantized_linear_x_backward,
            (codes, scales, grad, d_in)
        )
    }

    fn dequantized_2d(codes: FlexTensor, scales: FlexTensor, d_in: usize) -> FlexTensor {
        quantized::dequantized(codes, scales, d_in)
    }

    fn conv2d_4d(
        x: FlexTensor,
        weight: FlexTensor,
        bias: Option<FlexTensor>,
        options: Conv2dOptions,
    ) -> FlexTensor {
        dispatch!(
            [x, weight, bias.as_ref().unwrap_or(&x)],
            conv2d::conv2d,
            composed::conv2d,
            (x, weight, bias, options)
        )
    }

    fn conv2d_4d_x_backward(
        weight: FlexTensor,
        grad: FlexTensor,
        x_dims: [usize; 4],
        options: Conv2dOptions,
    ) -> FlexTensor {
        dispatch!(
            [weight, grad],
            conv2d::conv2d_x_backward,
            composed::conv2d_x_backward,
            (weight, grad, x_dims, options)
        )
    }

    fn conv2d_4d_weight_backward(
        x: FlexTensor,
        grad: FlexTensor,
        weight_dims: [usize; 4],
        options: Conv2dOptions,
    ) -> FlexTensor {
        dispatch!(
            [x, grad],
            conv2d::conv2d_weight_backward,
            composed::conv2d_weight_backward,
            (x, grad, weight_dims, options)
        )
    }

    fn conv2d_4d_bias_backward(grad: FlexTensor) -> FlexTensor {
        dispatch!(
            [grad],
            conv2d::conv2d_bias_backward,
            composed::conv2d_bias_backward,
            (grad)
        )
    }

    fn swapped_4d(x: FlexTensor) -> FlexTensor {
        dispatch!([x], swap::swapped, composed::swapped, (x))
    }

    fn cross_entropy_2d(logits: FlexTensor, classes: FlexTensor) -> FlexTensor {
        dispatch!(
            [logits],
            cross_entropy::cross_entropy,
            composed::cross_entropy,
            (logits, classes)
        )
    }

    fn cross_entropy_2d_backward(
        logits: FlexTensor,
        classes: FlexTensor,
        grad: FlexTensor,
    ) -> FlexTensor {
        dispatch!(
            [logits],
            cross_entropy::cross_entropy_backward,
            composed::cross_entropy_backward,
            (logits, classes, grad)
        )
    }

    fn assign_window(buffer: FlexTensor, window: &[Range<usize>], new: FlexTensor) -> FlexTensor {
        dispatch!(
            [buffer, new],
            assign::assign,
            composed::assign,
            (buffer, window, new)
        )
    }

    fn biased_attention(
        query: FlexTensor,
        key: FlexTensor,
        value: FlexTensor,
        bias: Option<FlexTensor>,
        hidden: Option<FlexTensor>,
        scale: f64,
    ) -> FlexTensor {
        dispatch!(
            [query, key, value, bias.as_ref().unwrap_or(&query)],
            attention::attention,
            composed::attention,
            (query, key, value, bias, hidden, scale)
        )
    }

    fn biased_attention_backward(
        query: FlexTensor,
        key: FlexTensor,
        value: FlexTensor,
        bias: Option<FlexTensor>,
        hidden: Option<FlexTensor>,
        scale: f64,
        grad: FlexTensor,
    ) -> AttentionGrads<FlexTensor> {
        dispatch!(
            [query, key, value, grad, bias.as_ref().unwrap_or(&query)],
            attention_backward::attention_backward,
            composed::attention_backward,
            (query, key, value, bias, hidden, scale, grad)
        )
    }
}

fn common_dtype<const N: usize>(tensors: [&FlexTensor; N]) -> Option<DType> {
    let dtype = tensors[0].dtype();
    tensors
        .iter()
        .all(|tensor| tensor.dtype() == dtype)
        .then_some(dtype)
}
