//! Linear layers on few rows, where the time is that of reading the weights.

use burn::{
    backend::{Flex, flex::FlexTensor},
    tensor::{Shape, TensorMetadata, ops::FloatTensorOps},
};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    half_dot,
    math::{dispatch, dots},
    number::{Number, dense, elements, tensor},
};

/// Up to this many rows the weights are read once and straight from their
/// storage; beyond, a blocked matrix product reuses them better.
const MAX_ROWS: usize = 8;

/// Weights per parallel task: enough to outweigh the cost of handing it over.
const TASK: usize = 64 * 1024;

/// Elements of a half-precision weight that are widened at a time.
const BLOCK: usize = 512;

pub(super) fn linear<T: Number>(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
    let rows = x.shape()[0];
    if rows > MAX_ROWS || !weight.is_contiguous() || rows == 0 {
        return Flex::float_matmul(x, weight.transpose(0, 1));
    }
    let x = dense(x);
    let mut wide = vec![0.0; x.shape().num_elements()];
    T::widen(elements::<T>(&x), &mut wide);
    match rows {
        1 => few_rows::<T, 1, 4>(&wide, &weight),
        2 => few_rows::<T, 2, 4>(&wide, &weight),
        3 => few_rows::<T, 3, 2>(&wide, &weight),
        4 => few_rows::<T, 4, 2>(&wide, &weight),
        5 => few_rows::<T, 5, 2>(&wide, &weight),
        6 => few_rows::<T, 6, 2>(&wide, &weight),
        7 => few_rows::<T, 7, 1>(&wide, &weight),
        _ => few_rows::<T, MAX_ROWS, 1>(&wide, &weight),
    }
}

fn few_rows<T: Number, const ROWS: usize, const UNROLL: usize>(
    x: &[f32],
    weight: &FlexTensor,
) -> FlexTensor {
    let [d_out, d_in] = weight.shape().dims();
    let weights = elements::<T>(weight);
    let rows: [&[f32]; ROWS] = std::array::from_fn(|row| &x[row * d_in..][..d_in]);
    let mut columns = vec![[0.0; ROWS]; d_out];
    if d_in > 0 {
        let per_task = TASK.div_ceil(d_in);
        columns
            .par_chunks_mut(per_task)
            .zip(weights.par_chunks(per_task * d_in))
            .for_each(|(columns, weights)| {
                for (column, weight) in columns.iter_mut().zip(weights.chunks_exact(d_in)) {
                    *column = products::<T, ROWS, UNROLL>(weight, rows);
                }
            });
    }
    let mut output = vec![T::zeroed(); ROWS * d_out];
    let mut row = vec![0.0; d_out];
    for (i, output) in output.chunks_mut(d_out.max(1)).enumerate() {
        for (value, column) in row.iter_mut().zip(&columns) {
            *value = column[i];
        }
        T::narrow(&row, output);
    }
    tensor(output, Shape::new([ROWS, d_out]))
}

/// The products of one row of weights with all rows of the input.
fn products<T: Number, const ROWS: usize, const UNROLL: usize>(
    weight: &[T],
    rows: [&[f32]; ROWS],
) -> [f32; ROWS] {
    if let Some(weights) = T::as_f32(weight) {
        return dispatch(Dots::<ROWS, UNROLL> { weights, rows });
    }
    if let Some(sums) = T::as_f16(weight).and_then(|weight| half_dot::dots(weight, rows)) {
        return sums;
    }
    let mut sums = [0.0; ROWS];
    let mut buffer = [0.0; BLOCK];
    for (i, block) in weight.chunks(BLOCK).enumerate() {
        let weights = &mut buffer[..block.len()];
        T::widen(block, weights);
        let rows = rows.map(|row| &row[i * BLOCK..][..block.len()]);
        let partial = dispatch(Dots::<ROWS, UNROLL> { weights, rows });
        for (sum, partial) in sums.iter_mut().zip(partial) {
            *sum += partial;
        }
    }
    sums
}

struct Dots<'a, const ROWS: usize, const UNROLL: usize> {
    weights: &'a [f32],
    rows: [&'a [f32]; ROWS],
}

impl<const ROWS: usize, const UNROLL: usize> WithSimd for Dots<'_, ROWS, UNROLL> {
    type Output = [f32; ROWS];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        dots::<S, ROWS, UNROLL>(simd, self.weights, self.rows)
    }
}
