//! Linear layers whose weights lie row by row, as checkpoints have them.
//!
//! On few rows of input the time is that of reading the weights. On more it is that of
//! the products, if the weights need not be turned around first: that would cost a
//! third of the time, so the output is computed turned around instead, which is smaller.

use burn::{
    backend::{Flex, flex::FlexTensor},
    tensor::{Shape, TensorMetadata, ops::FloatTensorOps},
};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    gemm::{Matrix, Target, multiply},
    half_dot,
    math::{dispatch, dots},
    number::{Number, Rows, dense, elements, tensor},
};

/// Up to this many rows the weights are read once and straight from their
/// storage; beyond, a blocked matrix product reuses them better.
const FEW_ROWS: usize = 8;

/// Up to this many rows turning the output around is cheap beside the products.
const MANY_ROWS: usize = 1024;

/// The same for this width of the input, and above.
const DEEP: usize = 512;

/// Rows that are turned around at a time: a cache line of a column.
const LINE: usize = 16;

/// Weights per parallel task: enough to outweigh the cost of handing it over.
const TASK: usize = 64 * 1024;

/// Elements of a half-precision weight that are widened at a time.
const BLOCK: usize = 512;

pub(super) fn linear<T: Number>(x: FlexTensor, weight: FlexTensor) -> FlexTensor {
    let [rows, d_in] = x.shape().dims();
    if rows == 0 || !weight.is_contiguous() {
        return Flex::float_matmul(x, weight.transpose(0, 1));
    }
    if rows > FEW_ROWS {
        return match T::as_f32(elements::<T>(&weight)) {
            Some(weights) if rows <= MANY_ROWS && d_in >= DEEP => many_rows(&dense(x), weights),
            _ => Flex::float_matmul(x, weight.transpose(0, 1)),
        };
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
        _ => few_rows::<T, FEW_ROWS, 1>(&wide, &weight),
    }
}

fn many_rows(x: &FlexTensor, weights: &[f32]) -> FlexTensor {
    let [rows, d_in] = x.shape().dims();
    let d_out = weights.len() / d_in;
    let row_major = |data, rows| {
        let stride = d_in;
        Matrix::new(Rows { data, stride }, rows, d_in)
    };
    let x = row_major(elements::<f32>(x), rows);
    // Two tasks for each thread: the second evens out what the first was late.
    let per_task = d_out.div_ceil(2 * rayon::current_num_threads()).max(1);
    let mut columns = vec![0.0; d_out * rows];
    columns
        .par_chunks_mut(per_task * rows)
        .zip(weights.par_chunks(per_task * d_in))
        .for_each(|(data, weights)| {
            let target = Target {
                data,
                stride: rows,
                accumulate: false,
            };
            let weights = row_major(weights, weights.len() / d_in);
            multiply(target, weights, x.transposed(), 1.0);
        });
    let mut output = vec![0.0; rows * d_out];
    output
        .par_chunks_mut(LINE * d_out.max(1))
        .enumerate()
        .for_each(|(line, output)| {
            for (at, column) in columns.chunks_exact(rows).enumerate() {
                let column = &column[line * LINE..];
                for (row, &value) in output.chunks_exact_mut(d_out).zip(column) {
                    row[at] = value;
                }
            }
        });
    tensor(output, Shape::new([rows, d_out]))
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
