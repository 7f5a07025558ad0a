//! The gradients of attention.
//!
//! The softmax weights are computed again, which at the lengths of training is
//! cheaper than to write and read them.

use burn::{
    backend::flex::FlexTensor,
    tensor::{Shape, TensorMetadata},
};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

use super::{
    attention::{Exponentials, Scale, inverse_or_zero},
    gemm::{Matrix, Target, multiply},
    heads::{Additions, Heads, padded},
    math::{dispatch, dots, zip},
    number::{Number, Rows, tensor},
};
use crate::kernel::AttentionGrads;

/// Queries whose scores with all keys are held at a time.
const QUERIES: usize = 128;

/// Parts into which the heads of all batches are split while a bias that they
/// share gets its gradient. Fixed, so that sums do not depend on the number of
/// threads.
const BIAS_PARTS: usize = 16;

pub(super) fn attention_backward<T: Number>(
    query: FlexTensor,
    key: FlexTensor,
    value: FlexTensor,
    bias: Option<FlexTensor>,
    hidden: Option<FlexTensor>,
    scale: f64,
    grad: FlexTensor,
) -> AttentionGrads<FlexTensor> {
    let [batch, heads, len_q, dim_head] = query.shape().dims();
    let [_, _, len_k, dim_value] = value.shape().dims();
    let bias_shape = bias.as_ref().map(|bias| bias.shape());
    let (query, key) = (Heads::new(query), Heads::new(key));
    let (value, grad) = (Heads::new(value), Heads::new(grad));
    let additions = Additions::new::<T>(bias, hidden, [batch, heads, len_q, len_k]);
    let inputs = Inputs {
        query: &query,
        key: &key,
        value: &value,
        grad: &grad,
        additions: &additions,
        scale: scale as f32,
        len_k,
        dim_head,
        dim_value,
    };

    let pairs = batch * heads;
    let mut query_grad = vec![T::zeroed(); pairs * len_q * dim_head];
    let mut key_grad = vec![T::zeroed(); pairs * len_k * dim_head];
    let mut value_grad = vec![T::zeroed(); pairs * len_k * dim_value];
    let parts = if bias_shape.is_some() {
        BIAS_PARTS
    } else {
        pairs
    };
    let per_part = pairs.div_ceil(parts.max(1)).max(1);
    let mut bias_sums = Vec::new();
    if len_q * len_k * dim_head * dim_value > 0 {
        bias_sums = query_grad
            .par_chunks_mut(per_part * len_q * dim_head)
            .zip(key_grad.par_chunks_mut(per_part * len_k * dim_head))
            .zip(value_grad.par_chunks_mut(per_part * len_k * dim_value))
            .enumerate()
            .map_init(
                Scratch::default,
                |scratch, (part, ((query, key), value))| {
                    let mut bias_sum = bias_shape.as_ref().map(BiasSum::new);
                    let outputs = query
                        .chunks_mut(len_q * dim_head)
                        .zip(key.chunks_mut(len_k * dim_head))
                        .zip(value.chunks_mut(len_k * dim_value));
                    for (i, ((query, key), value)) in outputs.enumerate() {
                        let pair = part * per_part + i;
                        let outputs = Outputs { query, key, value };
                        let pair = [pair / heads, pair % heads];
                        inputs.head::<T>(pair, outputs, bias_sum.as_mut(), scratch);
                    }
                    bias_sum
                },
            )
            .collect();
    }
    AttentionGrads {
        query: tensor(query_grad, Shape::new([batch, heads, len_q, dim_head])),
        key: tensor(key_grad, Shape::new([batch, heads, len_k, dim_head])),
        value: tensor(value_grad, Shape::new([batch, heads, len_k, dim_value])),
        bias: bias_shape.map(|shape| {
            let mut total = BiasSum::new(&shape).data;
            for part in bias_sums.into_iter().flatten() {
                total
                    .iter_mut()
                    .zip(part.data)
                    .for_each(|(sum, x)| *sum += x);
            }
            let mut narrow = vec![T::zeroed(); total.len()];
            T::narrow(&total, &mut narrow);
            tensor(narrow, shape)
        }),
    }
}

struct Inputs<'a> {
    query: &'a Heads,
    key: &'a Heads,
    value: &'a Heads,
    grad: &'a Heads,
    additions: &'a Additions,
    scale: f32,
    len_k: usize,
    dim_head: usize,
    dim_value: usize,
}

/// The gradients of one head.
struct Outputs<'a, T> {
    query: &'a mut [T],
    key: &'a mut [T],
    value: &'a mut [T],
}

/// Buffers of a task, kept from head to head.
#[derive(Default)]
struct Scratch {
    query: Vec<f32>,
    key: Vec<f32>,
    value: Vec<f32>,
    grad: Vec<f32>,
    bias: Vec<f32>,
    weights: Vec<f32>,
    score_grad: Vec<f32>,
    query_grad: Vec<f32>,
    key_grad: Vec<f32>,
    value_grad: Vec<f32>,
}

impl Inputs<'_> {
    fn head<T: Number>(
        &self,
        pair: [usize; 2],
        outputs: Outputs<'_, T>,
        mut bias_sum: Option<&mut BiasSum>,
        scratch: &mut Scratch,
    ) {
        let (dim_head, dim_value, len_k) = (self.dim_head, self.dim_value, self.len_k);
        let stride = padded(len_k);
        let key = self.key.rows::<T>(pair, 0..len_k, &mut scratch.key);
        let key = Matrix::new(key, len_k, dim_head);
        let value = self.value.rows::<T>(pair, 0..len_k, &mut scratch.value);
        let value = Matrix::new(value, len_k, dim_value);
        scratch.key_grad.resize(len_k * dim_head, 0.0);
        scratch.value_grad.resize(len_k * dim_value, 0.0);
        let len_q = outputs.query.len() / dim_head;
        for first in (0..len_q).step_by(QUERIES) {
            let queries = first..len_q.min(first + QUERIES);
            let count = queries.len();
            scratch.weights.resize(count * stride, 0.0);
            scratch.score_grad.resize(count * stride, 0.0);
            scratch.query_grad.resize(count * dim_head, 0.0);

            let query =
                self.query
                    .scaled::<T>(pair, queries.clone(), self.scale, &mut scratch.query);
            let query = Matrix::new(query, count, dim_head);
            let target = Target {
                data: &mut scratch.weights,
                stride,
                accumulate: false,
            };
            multiply(target, query, key.transposed(), 1.0);
            self.softmax::<T>(
                pair,
                queries.clone(),
                &mut scratch.weights,
                &mut scratch.bias,
            );

            let grad = self
                .grad
                .rows::<T>(pair, queries.clone(), &mut scratch.grad);
            let grad = Matrix::new(grad, count, dim_value);
            let target = Target {
                data: &mut scratch.score_grad,
                stride,
                accumulate: false,
            };
            multiply(target, grad, value.transposed(), 1.0);
            let weights = Rows {
                data: &scratch.weights,
                stride,
            };
            for (row, score_grad) in scratch.score_grad.chunks_exact_mut(stride).enumerate() {
                dispatch(SoftmaxBackward {
                    weights: weights.row(row, len_k),
                    grad: &mut score_grad[..len_k],
                });
                if let Some(sum) = bias_sum.as_deref_mut() {
                    sum.add([pair[0], pair[1], first + row], &score_grad[..len_k]);
                }
            }

            let target = Target {
                data: &mut scratch.value_grad,
                stride: dim_value,
                accumulate: first > 0,
            };
            let weights = Matrix::new(weights, count, len_k);
            multiply(target, weights.transposed(), grad, 1.0);
            let score_grad = Rows {
                data: &scratch.score_grad,
                stride,
            };
            let score_grad = Matrix::new(score_grad, count, len_k);
            let target = Target {
                data: &mut scratch.key_grad,
                stride: dim_head,
                accumulate: first > 0,
            };
            multiply(target, score_grad.transposed(), query, 1.0);
            let target = Target {
                data: &mut scratch.query_grad,
                stride: dim_head,
                accumulate: false,
            };
            multiply(target, score_grad, key, self.scale);
            let place = queries.start * dim_head..queries.end * dim_head;
            T::narrow(&scratch.query_grad, &mut outputs.query[place]);
        }
        T::narrow(&scratch.key_grad, outputs.key);
        T::narrow(&scratch.value_grad, outputs.value);
    }

    fn softmax<T: Number>(
        &self,
        [batch, head]: [usize; 2],
        queries: Range<usize>,
        scores: &mut [f32],
        buffer: &mut Vec<f32>,
    ) {
        let rows = scores.chunks_exact_mut(padded(self.len_k));
        for (query, scores) in queries.zip(rows) {
            let (mut max, mut sum) = (f32::NEG_INFINITY, 0.0);
            self.additions
                .apply::<T>([batch, head, query], 0..self.len_k, scores, buffer);
            dispatch(Exponentials {
                scores,
                max: &mut max,
                sum: &mut sum,
            });
            dispatch(Scale(scores, inverse_or_zero(sum)));
        }
    }
}

/// Replaces the gradient of a row of weights by that of its scores,
/// `weights · (grad - Σ weights · grad)`.
struct SoftmaxBackward<'a> {
    weights: &'a [f32],
    grad: &'a mut [f32],
}

impl WithSimd for SoftmaxBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [[mean]] = dots::<S, 1, 1, 4>(simd, [self.weights], [self.grad]);
        let mean = simd.splat_f32s(mean);
        zip(
            simd,
            self.grad,
            self.weights,
            #[inline(always)]
            |grad, weight| simd.mul_f32s(weight, simd.sub_f32s(grad, mean)),
        );
    }
}

/// The gradient of a bias, summed over what it is broadcast to.
struct BiasSum {
    data: Vec<f32>,
    /// 0 in the directions in which the bias is broadcast.
    strides: [usize; 4],
}

impl BiasSum {
    fn new(shape: &Shape) -> Self {
        let dims: [usize; 4] = shape.dims();
        let mut strides = [0; 4];
        let mut stride = 1;
        for (i, &dim) in dims.iter().enumerate().rev() {
            strides[i] = if dim == 1 { 0 } else { stride };
            stride *= dim;
        }
        Self {
            data: vec![0.0; stride],
            strides,
        }
    }

    fn add(&mut self, row: [usize; 3], score_grad: &[f32]) {
        let start: usize = row
            .iter()
            .zip(self.strides)
            .map(|(i, stride)| i * stride)
            .sum();
        if self.strides[3] == 0 {
            self.data[start] += score_grad.iter().sum::<f32>();
        } else {
            let place = self.data[start..].iter_mut();
            place.zip(score_grad).for_each(|(sum, x)| *sum += x);
        }
    }
}
