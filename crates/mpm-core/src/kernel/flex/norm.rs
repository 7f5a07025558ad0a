//! Root-mean-square norm and its gradient, row by row in f32.

use burn::{
    backend::flex::FlexTensor,
    tensor::{Shape, TensorMetadata},
};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    math::{dispatch, dots, zip},
    number::{Number, dense, elements, tensor, widened},
    output::fill_one,
};

/// Elements per parallel task: enough to outweigh the cost of handing it over.
const TASK: usize = 16 * 1024;

/// Rows whose weight gradients are added up together. The split must not depend
/// on the number of threads, so that sums are the same on every machine.
const GRADIENT_ROWS: usize = 64;

pub(super) fn rms_norm<T: Number>(x: FlexTensor, weight: FlexTensor, epsilon: f64) -> FlexTensor {
    let (x, weight) = (dense(x), dense(weight));
    let shape = x.shape();
    let source = elements::<T>(&x);
    let weights = widened(elements::<T>(&weight));
    let width = weights.len();
    if source.is_empty() {
        return tensor(Vec::<T>::new(), shape);
    }
    let per_task = TASK.div_ceil(width) * width;
    let output = fill_one(source.len(), per_task, |task, output: &mut [T]| {
        let mut buffer = vec![0.0; width];
        let source = &source[task * per_task..];
        for (output, source) in output.chunks_mut(width).zip(source.chunks(width)) {
            T::widen(source, &mut buffer);
            dispatch(Normalise {
                x: &mut buffer,
                epsilon: epsilon as f32,
            });
            // half precision rounds before the weight is applied
            T::narrow(&buffer, output);
            T::widen(output, &mut buffer);
            dispatch(Multiply(&mut buffer, &weights));
            T::narrow(&buffer, output);
        }
    });
    tensor(output, shape)
}

/// The gradients of input and weight.
pub(super) fn rms_norm_backward<T: Number>(
    x: FlexTensor,
    weight: FlexTensor,
    epsilon: f64,
    grad: FlexTensor,
) -> (FlexTensor, FlexTensor) {
    let (x, weight, grad) = (dense(x), dense(weight), dense(grad));
    let (xs, grads) = (elements::<T>(&x), elements::<T>(&grad));
    let weights = widened(elements::<T>(&weight));
    let width = weights.len();
    let mut x_grad = vec![T::zeroed(); xs.len()];
    let mut weight_grad = vec![0.0; width];
    if !xs.is_empty() {
        let partial: Vec<Vec<f32>> = x_grad
            .par_chunks_mut(GRADIENT_ROWS * width)
            .zip(xs.par_chunks(GRADIENT_ROWS * width))
            .zip(grads.par_chunks(GRADIENT_ROWS * width))
            .map(|((x_grad, x), grad)| {
                let mut weight_grad = vec![0.0; width];
                let (mut x_row, mut grad_row) = (vec![0.0; width], vec![0.0; width]);
                let inputs = x.chunks(width).zip(grad.chunks(width));
                for (x_grad, (x, grad)) in x_grad.chunks_mut(width).zip(inputs) {
                    T::widen(x, &mut x_row);
                    T::widen(grad, &mut grad_row);
                    dispatch(NormaliseBackward {
                        x: &mut x_row,
                        grad: &mut grad_row,
                        weights: &weights,
                        weight_grad: &mut weight_grad,
                        epsilon: epsilon as f32,
                    });
                    T::narrow(&x_row, x_grad);
                }
                weight_grad
            })
            .collect();
        for partial in partial {
            for (sum, value) in weight_grad.iter_mut().zip(partial) {
                *sum += value;
            }
        }
    }
    let mut narrow = vec![T::zeroed(); width];
    T::narrow(&weight_grad, &mut narrow);
    (
        tensor(x_grad, x.shape()),
        tensor(narrow, Shape::new([width])),
    )
}

/// `1 / √(mean(x²) + ε)`
#[inline(always)]
fn inverse_rms<S: Simd>(simd: S, x: &[f32], epsilon: f32) -> f32 {
    let [[sum]] = dots::<S, 1, 1, 4>(simd, [x], [x]);
    (sum / x.len() as f32 + epsilon).sqrt().recip()
}

struct Normalise<'a> {
    x: &'a mut [f32],
    epsilon: f32,
}

impl WithSimd for Normalise<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let scale = simd.splat_f32s(inverse_rms(simd, self.x, self.epsilon));
        super::math::map(
            simd,
            self.x,
            #[inline(always)]
            |x| simd.mul_f32s(x, scale),
        );
    }
}

struct Multiply<'a>(&'a mut [f32], &'a [f32]);

impl WithSimd for Multiply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        zip(
            simd,
            self.0,
            self.1,
            #[inline(always)]
            |x, weight| simd.mul_f32s(x, weight),
        );
    }
}

/// Replaces the row `x` by its gradient and adds to the weight's.
///
/// With `s = 1 / rms`, `n = x s` and `h = grad · weight`: the weight's gradient
/// is `grad · n`, the row's `s (h - n · mean(h n))`.
struct NormaliseBackward<'a> {
    x: &'a mut [f32],
    grad: &'a mut [f32],
    weights: &'a [f32],
    weight_grad: &'a mut [f32],
    epsilon: f32,
}

impl WithSimd for NormaliseBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self {
            x,
            grad,
            weights,
            weight_grad,
            epsilon,
        } = self;
        let inverse = inverse_rms(simd, x, epsilon);
        let scale = simd.splat_f32s(inverse);
        super::math::map(
            simd,
            x,
            #[inline(always)]
            |x| simd.mul_f32s(x, scale),
        );
        add_products(simd, weight_grad, grad, x);
        zip(
            simd,
            grad,
            weights,
            #[inline(always)]
            |grad, weight| simd.mul_f32s(grad, weight),
        );
        let [[sum]] = dots::<S, 1, 1, 4>(simd, [grad], [x]);
        let mean = simd.splat_f32s(-sum / x.len() as f32);
        zip(
            simd,
            x,
            grad,
            #[inline(always)]
            |x, grad| simd.mul_f32s(simd.mul_add_e_f32s(x, mean, grad), scale),
        );
    }
}

/// `sums += a · b`, element by element.
#[inline(always)]
fn add_products<S: Simd>(simd: S, sums: &mut [f32], a: &[f32], b: &[f32]) {
    let (sums, sums_rest) = S::as_mut_simd_f32s(sums);
    let (a, a_rest) = S::as_simd_f32s(a);
    let (b, b_rest) = S::as_simd_f32s(b);
    for ((sum, &a), &b) in sums.iter_mut().zip(a).zip(b) {
        *sum = simd.mul_add_e_f32s(a, b, *sum);
    }
    for ((sum, &a), &b) in sums_rest.iter_mut().zip(a_rest).zip(b_rest) {
        *sum += a * b;
    }
}
