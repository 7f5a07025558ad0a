//! Linear layers with quantized weights.

use burn::tensor::{Int, Tensor};

use super::{MpmBackend, from_primitive, from_rows, into_rows};
use crate::quantization::Layout;

/// A linear layer whose weight is [quantized](crate::quantization), `x · weightᵀ + bias`.
///
/// Gradients reach `x` and the bias; the weight is frozen. On the CPU the weight is never
/// dequantized as a whole, and a handful of rows (decoding) reads its codes only once and
/// computes in f32.
///
/// # Shapes
/// - x: `[..., d_in]`
/// - codes: `[d_out, d_in * bits / 32]`, of type u32
/// - scales: `[d_out, d_in / block]`, of type f16
/// - bias: `[d_out]`
/// - output: `[..., d_out]`, of the type of `x`
///
/// # Panics
/// When codes and scales are not those of a weight of the width of `x`, or the bias has another
/// width than the output. Shapes do not tell codes of 4 bits from half as many of 8; a
/// [`QuantizedMatrix`](crate::quantization::QuantizedMatrix) knows its width.
pub fn quantized_linear<B: MpmBackend, const D: usize>(
    x: Tensor<B, D>,
    codes: Tensor<B, 2, Int>,
    scales: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
) -> Tensor<B, D> {
    let mut dims = x.dims();
    let layout = layout(codes.dims(), scales.dims(), dims[D - 1]);
    let d_out = layout.d_out;
    let biases = bias.as_ref().map_or(d_out, |bias| bias.dims()[0]);
    assert!(
        biases == d_out,
        "a linear layer to a width of {d_out} cannot have {biases} biases"
    );
    dims[D - 1] = d_out;
    let output = B::quantized_linear_2d(
        into_rows(x),
        codes.into_primitive(),
        scales.into_primitive().tensor(),
        bias.map(|bias| bias.into_primitive().tensor()),
    );
    from_rows(output, dims)
}

/// What the codes of a [quantized](crate::quantization) matrix mean, in f32.
///
/// # Shapes
/// - codes: `[d_out, d_in * bits / 32]`, of type u32
/// - scales: `[d_out, d_in / block]`, of type f16
/// - output: `[d_out, d_in]`
///
/// # Panics
/// When codes and scales are not those of a matrix of width `d_in`.
pub fn dequantized<B: MpmBackend>(
    codes: Tensor<B, 2, Int>,
    scales: Tensor<B, 2>,
    d_in: usize,
) -> Tensor<B, 2> {
    layout(codes.dims(), scales.dims(), d_in);
    from_primitive(B::dequantized_2d(
        codes.into_primitive(),
        scales.into_primitive().tensor(),
        d_in,
    ))
}

/// The layout of codes and scales of these shapes.
pub(super) fn layout(codes: [usize; 2], scales: [usize; 2], d_in: usize) -> Layout {
    match Layout::infer(codes, scales, d_in) {
        Ok(layout) => layout,
        Err(error) => panic!("{error}"),
    }
}
