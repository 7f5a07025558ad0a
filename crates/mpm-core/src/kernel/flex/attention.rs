//! Attention in tiles: scores are never materialised for more than a block of
//! queries and keys at a time (Rabe and Staats 2021, Dao et al. 2022).

use burn::{
    backend::flex::FlexTensor,
    tensor::{Shape, TensorMetadata},
};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    gemm::{Matrix, Target, multiply},
    heads::{Additions, Heads, padded},
    math::{dispatch, dots, exp, map},
    number::{Number, Rows, tensor},
    output::fill_one,
};

/// Queries per tile: keys and values are brought into the order of the products anew for each
/// tile, so more of them are better, as long as their scores fit.
const QUERIES: usize = 384;

/// Keys per tile: with 384 queries the scores take 384 KiB, within the second-level cache.
const KEYS: usize = 256;

/// Up to this many queries per tile the products are computed row by row: packing
/// keys for a blocked product would cost more than it saves.
const FEW_QUERIES: usize = 4;

/// Multiplications per parallel task, at least: below, handing it over costs more.
const TASK: usize = 32 * 1024;

pub(super) fn attention<T: Number>(
    query: FlexTensor,
    key: FlexTensor,
    value: FlexTensor,
    bias: Option<FlexTensor>,
    hidden: Option<FlexTensor>,
    scale: f64,
) -> FlexTensor {
    let [batch, heads, len_q, dim_head] = query.shape().dims();
    let [_, _, len_k, dim_value] = value.shape().dims();
    let (query, key, value) = (Heads::new(query), Heads::new(key), Heads::new(value));
    let additions = Additions::new::<T>(bias, hidden, [batch, heads, len_q, len_k]);
    let inputs = Inputs {
        query: &query,
        key: &key,
        value: &value,
        additions: &additions,
        scale: scale as f32,
        len_k,
        dim_head,
        dim_value,
    };
    let cost = len_q.min(QUERIES) * len_k * (dim_head + dim_value);
    let per_head = len_q * dim_value;
    let per_task = TASK.div_ceil(cost.max(1)) * per_head;
    let output = fill_one(batch * heads * per_head, per_task.max(1), |task, output| {
        let first = task * per_task / per_head;
        for (i, output) in output.chunks_mut(per_head).enumerate() {
            let head = [(first + i) / heads, (first + i) % heads];
            let tiles = output.par_chunks_mut(QUERIES * dim_value);
            tiles
                .enumerate()
                .for_each_init(Scratch::default, |scratch, (tile, output)| {
                    inputs.tile::<T>(head, tile * QUERIES, output, scratch);
                });
        }
    });
    tensor(output, Shape::new([batch, heads, len_q, dim_value]))
}

struct Inputs<'a> {
    query: &'a Heads,
    key: &'a Heads,
    value: &'a Heads,
    additions: &'a Additions,
    scale: f32,
    len_k: usize,
    dim_head: usize,
    dim_value: usize,
}

/// Buffers of a task, kept from tile to tile.
#[derive(Default)]
struct Scratch {
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    scores: Vec<f32>,
    output: Vec<f32>,
    bias: Vec<f32>,
}

impl Inputs<'_> {
    /// Attends from the queries at `first` on, as many as `output` has rows.
    fn tile<T: Number>(
        &self,
        [batch, head]: [usize; 2],
        first: usize,
        output: &mut [T],
        scratch: &mut Scratch,
    ) {
        let queries = output.len() / self.dim_value;
        let scaled = self.query.scaled::<T>(
            [batch, head],
            first..first + queries,
            self.scale,
            &mut scratch.query,
        );
        let mut max = [f32::NEG_INFINITY; QUERIES];
        let mut sum = [0.0; QUERIES];
        scratch.output.clear();
        scratch.output.resize(queries * self.dim_value, 0.0);
        for start in (0..self.len_k).step_by(KEYS) {
            let keys = start..self.len_k.min(start + KEYS);
            let count = keys.len();
            let stride = padded(count);
            scratch.scores.resize(queries * stride, 0.0);
            let key = self
                .key
                .rows::<T>([batch, head], keys.clone(), &mut scratch.key);
            let value = self
                .value
                .rows::<T>([batch, head], keys.clone(), &mut scratch.value);
            self.scores(scaled, key, queries, count, &mut scratch.scores);
            for (row, scores) in scratch.scores.chunks_exact_mut(stride).enumerate() {
                self.additions.apply::<T>(
                    [batch, head, first + row],
                    keys.clone(),
                    scores,
                    &mut scratch.bias,
                );
                let correction = dispatch(Exponentials {
                    scores,
                    max: &mut max[row],
                    sum: &mut sum[row],
                });
                if start > 0 && correction != 1.0 {
                    let output = &mut scratch.output[row * self.dim_value..][..self.dim_value];
                    output.iter_mut().for_each(|x| *x *= correction);
                }
            }
            let weights = Rows {
                data: &scratch.scores,
                stride,
            };
            self.add_values(weights, value, queries, count, &mut scratch.output);
        }
        let rows = scratch.output.chunks_exact_mut(self.dim_value);
        for ((row, output), sum) in rows.zip(output.chunks_exact_mut(self.dim_value)).zip(sum) {
            let inverse = inverse_or_zero(sum);
            row.iter_mut().for_each(|x| *x *= inverse);
            T::narrow(row, output);
        }
    }

    /// `query · keyᵀ`, in rows of [`padded`] length.
    fn scores(&self, query: Rows<'_>, key: Rows<'_>, queries: usize, keys: usize, out: &mut [f32]) {
        let stride = padded(keys);
        if queries > FEW_QUERIES {
            let target = Target {
                data: out,
                stride,
                accumulate: false,
            };
            let query = Matrix::new(query, queries, self.dim_head);
            let key = Matrix::new(key, keys, self.dim_head);
            return multiply(target, query, key.transposed(), 1.0);
        }
        for (row, scores) in out.chunks_exact_mut(stride).enumerate() {
            dispatch(RowScores {
                query: query.row(row, self.dim_head),
                key,
                scores: &mut scores[..keys],
            });
        }
    }

    /// `output += weights · value`
    fn add_values(
        &self,
        weights: Rows<'_>,
        value: Rows<'_>,
        queries: usize,
        keys: usize,
        output: &mut [f32],
    ) {
        if queries > FEW_QUERIES {
            let target = Target {
                data: output,
                stride: self.dim_value,
                accumulate: true,
            };
            let weights = Matrix::new(weights, queries, keys);
            return multiply(
                target,
                weights,
                Matrix::new(value, keys, self.dim_value),
                1.0,
            );
        }
        for (row, output) in output.chunks_exact_mut(self.dim_value).enumerate() {
            dispatch(RowValues {
                weights: weights.row(row, keys),
                value,
                output,
            });
        }
    }
}

/// The factor that makes weights of this sum add up to 1; rows without any
/// visible key have the sum 0 and get zeros.
pub(super) fn inverse_or_zero(sum: f32) -> f32 {
    if sum == 0.0 { 0.0 } else { sum.recip() }
}

/// Replaces a row of scores by `exp(score - max)`, where `max` and `sum` run
/// over all tiles of the row. Returns the factor that brings earlier tiles to
/// the new maximum.
pub(super) struct Exponentials<'a> {
    pub scores: &'a mut [f32],
    pub max: &'a mut f32,
    pub sum: &'a mut f32,
}

impl WithSimd for Exponentials<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        // rows are padded to whole vectors: there is no rest
        let mut max = simd.splat_f32s(*self.max);
        for &x in S::as_simd_f32s(self.scores).0 {
            max = simd.max_f32s(max, x);
        }
        let max = simd.reduce_max_f32s(max);
        // where all is hidden so far, -inf - -inf would be NaN
        let reference = if max == f32::NEG_INFINITY { 0.0 } else { max };
        let shift = simd.splat_f32s(reference);
        let mut sum = simd.splat_f32s(0.0);
        for x in S::as_mut_simd_f32s(self.scores).0 {
            *x = exp(simd, simd.sub_f32s(*x, shift));
            sum = simd.add_f32s(sum, *x);
        }
        let correction = (*self.max - reference).exp();
        *self.sum = *self.sum * correction + simd.reduce_sum_f32s(sum);
        *self.max = max;
        correction
    }
}

/// The products of one query with all keys.
struct RowScores<'a> {
    query: &'a [f32],
    key: Rows<'a>,
    scores: &'a mut [f32],
}

impl WithSimd for RowScores<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        /// Keys that are read at the same time.
        const BLOCK: usize = 4;

        let key = |i| self.key.row(i, self.query.len());
        let (blocks, left) = self.scores.as_chunks_mut::<BLOCK>();
        let done = BLOCK * blocks.len();
        for (i, scores) in blocks.iter_mut().enumerate() {
            let keys = std::array::from_fn(|j| key(BLOCK * i + j));
            let products = dots::<S, BLOCK, 1, 2>(simd, keys, [self.query]);
            *scores = products.map(|[score]| score);
        }
        for (i, score) in left.iter_mut().enumerate() {
            [[*score]] = dots::<S, 1, 1, 4>(simd, [key(done + i)], [self.query]);
        }
    }
}

/// `output += Σ weights[i] · value[i]`
struct RowValues<'a> {
    weights: &'a [f32],
    value: Rows<'a>,
    output: &'a mut [f32],
}

impl WithSimd for RowValues<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        /// Vectors of the output that stay in registers while all rows pass.
        const BLOCK: usize = 8;

        let width = self.output.len();
        let (vectors, rest) = S::as_mut_simd_f32s(self.output);
        let mut blocks = vectors.chunks_exact_mut(BLOCK);
        let mut column = 0;
        for block in &mut blocks {
            let mut sums = [simd.splat_f32s(0.0); BLOCK];
            for (i, &weight) in self.weights.iter().enumerate() {
                let weight = simd.splat_f32s(weight);
                let row = &self.value.row(i, width)[column..column + BLOCK * S::F32_LANES];
                for (sum, &x) in sums.iter_mut().zip(S::as_simd_f32s(row).0) {
                    *sum = simd.mul_add_e_f32s(weight, x, *sum);
                }
            }
            for (x, sum) in block.iter_mut().zip(sums) {
                *x = simd.add_f32s(*x, sum);
            }
            column += BLOCK * S::F32_LANES;
        }
        let left = blocks.into_remainder();
        if left.is_empty() && rest.is_empty() {
            return;
        }
        for (i, &weight) in self.weights.iter().enumerate() {
            let row = &self.value.row(i, width)[column..];
            let (row, row_rest) = S::as_simd_f32s(row);
            for (x, &value) in left.iter_mut().zip(row) {
                *x = simd.mul_add_e_f32s(simd.splat_f32s(weight), value, *x);
            }
            for (x, &value) in rest.iter_mut().zip(row_rest) {
                *x += weight * value;
            }
        }
    }
}

/// Multiplies a row by a factor.
pub(super) struct Scale<'a>(pub &'a mut [f32], pub f32);

impl WithSimd for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let factor = simd.splat_f32s(self.1);
        map(
            simd,
            self.0,
            #[inline(always)]
            |x| simd.mul_f32s(x, factor),
        );
    }
}
