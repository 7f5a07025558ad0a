//! As long as reading the weights takes, which is done once and straight from storage.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    super::{
        half_dot,
        math::{dispatch, dots},
        number::Number,
    },
    FEW_ROWS,
};

/// Weights per parallel task: enough to outweigh the cost of handing it over.
const TASK: usize = 64 * 1024;

/// Elements of a half-precision weight that are widened at a time.
const BLOCK: usize = 512;

/// `x · weightsᵀ + bias` for at most [`FEW_ROWS`] rows.
///
/// How many weights are read at the same time leaves their sums and the rows in registers.
pub(super) fn linear<T: Number>(x: &[f32], weights: &[T], bias: &[f32], rows: usize) -> Vec<T> {
    match rows {
        1 => products::<T, 4, 1, 2>(x, weights, bias),
        2 => products::<T, 4, 2, 1>(x, weights, bias),
        3 => products::<T, 4, 3, 1>(x, weights, bias),
        4 => products::<T, 2, 4, 1>(x, weights, bias),
        5 => products::<T, 2, 5, 1>(x, weights, bias),
        6 => products::<T, 2, 6, 1>(x, weights, bias),
        7 => products::<T, 1, 7, 1>(x, weights, bias),
        _ => products::<T, 1, FEW_ROWS, 1>(x, weights, bias),
    }
}

fn products<T: Number, const WEIGHTS: usize, const ROWS: usize, const UNROLL: usize>(
    x: &[f32],
    weights: &[T],
    bias: &[f32],
) -> Vec<T> {
    let d_out = bias.len();
    let d_in = x.len() / ROWS;
    let rows: [&[f32]; ROWS] = std::array::from_fn(|row| &x[row * d_in..][..d_in]);
    let mut columns = vec![[0.0; ROWS]; d_out];
    let per_task = TASK.div_ceil(d_in).next_multiple_of(WEIGHTS);
    columns
        .par_chunks_mut(per_task)
        .zip(weights.par_chunks(per_task * d_in))
        .for_each(|(columns, weights)| {
            let (blocks, left) = columns.as_chunks_mut::<WEIGHTS>();
            let (in_blocks, in_left) = weights.split_at(blocks.len() * WEIGHTS * d_in);
            for (block, weights) in blocks
                .iter_mut()
                .zip(in_blocks.chunks_exact(WEIGHTS * d_in))
            {
                let weights = std::array::from_fn(|i| &weights[i * d_in..][..d_in]);
                *block = block_products::<T, WEIGHTS, ROWS, UNROLL>(weights, rows);
            }
            for (column, weight) in left.iter_mut().zip(in_left.chunks_exact(d_in)) {
                [*column] = block_products::<T, 1, ROWS, UNROLL>([weight], rows);
            }
        });
    let mut output = vec![T::zeroed(); ROWS * d_out];
    let mut row = vec![0.0; d_out];
    for (i, output) in output.chunks_mut(d_out).enumerate() {
        for ((value, column), bias) in row.iter_mut().zip(&columns).zip(bias) {
            *value = column[i] + bias;
        }
        T::narrow(&row, output);
    }
    output
}

/// The products of some rows of weights with all rows of the input.
fn block_products<T: Number, const WEIGHTS: usize, const ROWS: usize, const UNROLL: usize>(
    weights: [&[T]; WEIGHTS],
    rows: [&[f32]; ROWS],
) -> [[f32; ROWS]; WEIGHTS] {
    if let Some(weights) = all(weights, T::as_f32) {
        return dispatch(Dots::<WEIGHTS, ROWS, UNROLL> { weights, rows });
    }
    if let Some(sums) = all(weights, T::as_f16).and_then(|weights| half_dot::dots(weights, rows)) {
        return sums;
    }
    weights.map(|weight| {
        let mut sums = [0.0; ROWS];
        let mut buffer = [0.0; BLOCK];
        for (i, block) in weight.chunks(BLOCK).enumerate() {
            let wide = &mut buffer[..block.len()];
            T::widen(block, wide);
            let rows = rows.map(|row| &row[i * BLOCK..][..block.len()]);
            let [partial] = dispatch(Dots::<1, ROWS, UNROLL> {
                weights: [wide],
                rows,
            });
            for (sum, partial) in sums.iter_mut().zip(partial) {
                *sum += partial;
            }
        }
        sums
    })
}

/// The same slices as another type, where they are of that type.
fn all<'a, T, U, const N: usize>(
    slices: [&'a [T]; N],
    convert: fn(&'a [T]) -> Option<&'a [U]>,
) -> Option<[&'a [U]; N]> {
    let mut converted: [&[U]; N] = [&[]; N];
    for (target, slice) in converted.iter_mut().zip(slices) {
        *target = convert(slice)?;
    }
    Some(converted)
}

struct Dots<'a, const WEIGHTS: usize, const ROWS: usize, const UNROLL: usize> {
    weights: [&'a [f32]; WEIGHTS],
    rows: [&'a [f32]; ROWS],
}

impl<const WEIGHTS: usize, const ROWS: usize, const UNROLL: usize> WithSimd
    for Dots<'_, WEIGHTS, ROWS, UNROLL>
{
    type Output = [[f32; ROWS]; WEIGHTS];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        dots::<S, WEIGHTS, ROWS, UNROLL>(simd, self.weights, self.rows)
    }
}
