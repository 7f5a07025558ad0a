//! Linear layers whose weights lie row by row, as checkpoints have them.

mod backward;
mod few_rows;
mod many_rows;
mod some_rows;

pub(super) use backward::{weight_backward, x_backward};

use burn::{
    backend::{Flex, flex::FlexTensor},
    tensor::{Shape, TensorMetadata},
};

use super::{
    super::composed,
    number::{Number, dense, elements, tensor, widened},
};

/// Up to this many rows the weights are read once and straight from their
/// storage; beyond, a blocked matrix product reuses them better.
const FEW_ROWS: usize = 8;

/// Up to this many rows, the weights are not turned around for the product but the output
/// is; beyond, turning the weights is little beside the products.
const SOME_ROWS: usize = 512;

/// The same holds from this width of the input on; below, turning either is little.
const DEEP: usize = 256;

pub(super) fn linear<T: Number>(
    x: FlexTensor,
    weight: FlexTensor,
    bias: Option<FlexTensor>,
) -> FlexTensor {
    let [rows, d_in] = x.shape().dims();
    let [d_out, _] = weight.shape().dims();
    let empty = rows == 0 || d_in == 0 || d_out == 0;
    if empty || !weight.is_contiguous() {
        return composed::linear::<Flex>(x, weight, bias);
    }
    let weights = elements::<T>(&weight);
    let shape = Shape::new([rows, d_out]);
    match T::as_f32(weights) {
        _ if rows <= FEW_ROWS => {
            let x = widened(elements::<T>(&dense(x)));
            let bias = wide_bias::<T>(bias, d_out);
            tensor(few_rows::linear::<T>(&x, weights, &bias, rows), shape)
        }
        Some(weights) if rows <= SOME_ROWS && d_in >= DEEP => {
            let x = dense(x);
            let bias = wide_bias::<T>(bias, d_out);
            tensor(some_rows::linear(elements(&x), weights, &bias, rows), shape)
        }
        Some(weights) => {
            let x = dense(x);
            let bias = bias.map(|bias| widened(elements::<T>(&dense(bias))));
            tensor(
                many_rows::linear(elements(&x), weights, bias.as_deref(), d_in),
                shape,
            )
        }
        None => composed::linear::<Flex>(x, weight, bias),
    }
}

/// Zeros where there is no bias: adding them costs nothing beside the products.
fn wide_bias<T: Number>(bias: Option<FlexTensor>, d_out: usize) -> Vec<f32> {
    bias.map_or_else(
        || vec![0.0; d_out],
        |bias| widened(elements::<T>(&dense(bias))),
    )
}
