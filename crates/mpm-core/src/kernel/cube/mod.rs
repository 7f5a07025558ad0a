//! Kernels for the GPUs, written once in CubeCL for CUDA, Vulkan, WGPU and Metal.
//!
//! Each computes in f32 and rounds once, to the type of its input. What has no kernel here uses
//! the composed operations, and so does a device that cannot add up the lanes of a plane (a
//! warp, a subgroup).

mod attention;
mod elementwise;
mod launch;
mod linear;
mod norm;
mod quantized;

use burn::tensor::ops::{BoolTensor, FloatTensor, IntTensor};
use burn_cubecl::{BoolElement, CubeBackend, CubeRuntime, FloatElement, IntElement};

use super::{Activation, GroupNormOptions, MpmBackend, composed};

impl<R, F, I, B> MpmBackend for CubeBackend<R, F, I, B>
where
    R: CubeRuntime,
    F: FloatElement,
    I: IntElement,
    B: BoolElement,
{
    fn gelu_2d(x: FloatTensor<Self>) -> FloatTensor<Self> {
        elementwise::gelu(x)
    }

    fn silu_2d(x: FloatTensor<Self>) -> FloatTensor<Self> {
        elementwise::silu(x)
    }

    fn gated_gelu_2d(gate: FloatTensor<Self>, value: FloatTensor<Self>) -> FloatTensor<Self> {
        elementwise::gated_gelu(gate, value)
    }

    fn rms_norm_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        match norm::rms_norm(&x, &weight, epsilon) {
            Some(output) => output,
            None => composed::rms_norm::<Self>(x, weight, epsilon),
        }
    }

    fn layer_norm_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        match norm::layer_norm(&x, &weight, &bias, epsilon) {
            Some(output) => output,
            None => <Self as burn::tensor::ops::ModuleOps<Self>>::layer_norm(
                x,
                weight,
                Some(bias),
                epsilon,
            ),
        }
    }

    fn group_norm_4d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: GroupNormOptions,
    ) -> FloatTensor<Self> {
        match norm::group_norm(&x, &weight, &bias, options) {
            Some(output) => output,
            None => composed::group_norm::<Self>(x, weight, bias, options),
        }
    }

    fn linear_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        match linear::linear(&x, &weight, bias.as_ref()) {
            Some(output) => output,
            None => composed::linear::<Self>(x, weight, bias),
        }
    }

    fn quantized_linear_2d(
        x: FloatTensor<Self>,
        codes: IntTensor<Self>,
        scales: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        quantized::linear::<R, F, I, B>(x, codes, scales, bias)
    }

    fn quantized_linear_2d_x_backward(
        codes: IntTensor<Self>,
        scales: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        d_in: usize,
    ) -> FloatTensor<Self> {
        let weight = quantized::dequantized(codes, scales, d_in, grad.dtype);
        composed::linear_x_backward::<Self>(weight, grad)
    }

    fn dequantized_2d(
        codes: IntTensor<Self>,
        scales: FloatTensor<Self>,
        d_in: usize,
    ) -> FloatTensor<Self> {
        quantized::dequantized(codes, scales, d_in, burn::tensor::DType::F32)
    }

    fn biased_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        hidden: Option<BoolTensor<Self>>,
        scale: f64,
    ) -> FloatTensor<Self> {
        let fused =
            attention::attention(&query, &key, &value, bias.as_ref(), hidden.as_ref(), scale);
        match fused {
            Some(output) => output,
            None => composed::attention::<Self>(query, key, value, bias, hidden, scale),
        }
    }
}
