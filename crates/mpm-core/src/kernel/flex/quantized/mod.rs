//! Linear layers with quantized weights.

mod few_rows;
mod panels;
mod weight;
#[cfg(target_arch = "x86_64")]
mod x86;

use burn::{
    backend::{Flex, flex::FlexTensor},
    tensor::{DType, Shape, TensorMetadata, f16},
};

use super::{
    super::{composed, quantized::layout},
    number::{Number, dense, elements, tensor, widened},
    turn::turned,
};
use weight::Weight;

/// Up to this many rows the codes are read once and straight from storage; beyond, panels of the
/// weight are dequantized for a blocked matrix product.
const FEW_ROWS: usize = 8;

/// `x · weightᵀ + bias`
pub(super) fn linear<T: Number>(
    x: FlexTensor,
    codes: FlexTensor,
    scales: FlexTensor,
    bias: Option<FlexTensor>,
) -> FlexTensor {
    let [rows, d_in] = x.shape().dims();
    let weight = weight(&codes, &scales, d_in).filter(|weight| rows * weight.layout.d_out > 0);
    let Some(weight) = weight else {
        return composed::quantized_linear::<Flex>(x, codes, scales, bias);
    };
    let d_out = weight.layout.d_out;
    let x = widened(elements::<T>(&dense(x)));
    let bias = bias.map_or_else(
        || vec![0.0; d_out],
        |bias| widened(elements::<T>(&dense(bias))),
    );
    let columns = if rows <= FEW_ROWS {
        few_rows::columns(&x, weight, rows)
    } else {
        panels::columns(&x, weight, rows)
    };
    tensor(
        turned::<T>(&columns, rows, &bias),
        Shape::new([rows, d_out]),
    )
}

/// `grad · weight`
pub(super) fn x_backward<T: Number>(
    codes: FlexTensor,
    scales: FlexTensor,
    grad: FlexTensor,
    d_in: usize,
) -> FlexTensor {
    let [rows, _] = grad.shape().dims();
    let weight = weight(&codes, &scales, d_in).filter(|weight| rows * weight.layout.d_out > 0);
    let Some(weight) = weight else {
        return composed::quantized_linear_x_backward::<Flex>(codes, scales, grad, d_in);
    };
    let grad = widened(elements::<T>(&dense(grad)));
    let columns = panels::backward_columns(&grad, weight, rows);
    tensor(
        turned::<T>(&columns, rows, &vec![0.0; d_in]),
        Shape::new([rows, d_in]),
    )
}

pub(super) fn dequantized(codes: FlexTensor, scales: FlexTensor, d_in: usize) -> FlexTensor {
    match weight(&codes, &scales, d_in) {
        Some(weight) => {
            let shape = Shape::new([weight.layout.d_out, d_in]);
            tensor(weight.dequantized(), shape)
        }
        None => composed::dequantized::<Flex>(codes, scales, d_in),
    }
}

/// The weight, where it is of the expected types and lies without gaps.
fn weight<'a>(codes: &'a FlexTensor, scales: &'a FlexTensor, d_in: usize) -> Option<Weight<'a>> {
    let fits = codes.dtype() == DType::U32
        && scales.dtype() == DType::F16
        && codes.is_contiguous()
        && scales.is_contiguous();
    fits.then(|| Weight {
        codes: elements(codes),
        scales: elements::<f16>(scales),
        layout: layout(codes.shape().dims(), scales.shape().dims(), d_in),
    })
}

/// Products with a handful of rows on any CPU: `[d_out, rows]`, for tests.
#[cfg(test)]
pub(in crate::kernel) fn few_rows_portable(
    x: &[f32],
    codes: &FlexTensor,
    scales: &FlexTensor,
    rows: usize,
) -> Vec<f32> {
    let weight = weight(codes, scales, x.len() / rows);
    few_rows::portable_columns(x, weight.expect("quantized"), rows)
}

/// The same with instructions of the running CPU, if there are some.
#[cfg(test)]
pub(in crate::kernel) fn few_rows_by_cpu(
    x: &[f32],
    codes: &FlexTensor,
    scales: &FlexTensor,
    rows: usize,
) -> Option<Vec<f32>> {
    let weight = weight(codes, scales, x.len() / rows);
    few_rows::columns_by_cpu(x, weight.expect("quantized"), rows)
}
