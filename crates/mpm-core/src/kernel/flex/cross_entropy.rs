//! Cross entropy and its gradient, row by row in f32.

use burn::{
    backend::{Flex, flex::FlexTensor},
    tensor::{DType, Shape, TensorMetadata},
};
use pulp::{Simd, WithSimd};

use super::{
    super::composed,
    math::{dispatch, exp, map},
    number::{Number, dense, elements, tensor},
    output::fill_one,
};

/// Logits per parallel task: enough to outweigh the cost of handing it over.
const TASK: usize = 16 * 1024;

pub(super) fn cross_entropy<T: Number>(logits: FlexTensor, classes: FlexTensor) -> FlexTensor {
    let [rows, width] = logits.shape().dims();
    let Some(picked) = indices(&classes) else {
        return composed::cross_entropy::<Flex>(logits, classes);
    };
    let logits = dense(logits);
    let logits = elements::<T>(&logits);
    let per_task = TASK.div_ceil(width.max(1));
    let output = fill_one(rows, per_task, |task, output| {
        let mut buffer = Vec::new();
        let first = task * per_task;
        for (row, output) in (first..).zip(output) {
            let row_logits = wide(&logits[row * width..][..width], &mut buffer);
            *output = dispatch(LogSumExp(row_logits)) - row_logits[picked[row]];
        }
    });
    tensor(output, Shape::new([rows]))
}

/// The gradient of the logits, `(softmax(logits) - 1 at the class) · grad`.
pub(super) fn cross_entropy_backward<T: Number>(
    logits: FlexTensor,
    classes: FlexTensor,
    grad: FlexTensor,
) -> FlexTensor {
    let [rows, width] = logits.shape().dims();
    let Some(picked) = indices(&classes).filter(|_| grad.dtype() == DType::F32) else {
        return composed::cross_entropy_backward::<Flex>(logits, classes, grad);
    };
    let (logits, grad) = (dense(logits), dense(grad));
    let (logits, grad) = (elements::<T>(&logits), elements::<f32>(&grad));
    let per_task = TASK.div_ceil(width.max(1));
    let output = fill_one(
        rows * width,
        (per_task * width).max(1),
        |task, output: &mut [T]| {
            let mut buffer = vec![0.0; width];
            let first = task * per_task;
            for (row, output) in (first..).zip(output.chunks_exact_mut(width)) {
                let logits = &logits[row * width..][..width];
                if let Some(output) = T::as_f32_mut(output) {
                    row_backward(logits, picked[row], grad[row], output);
                } else {
                    row_backward(logits, picked[row], grad[row], &mut buffer);
                    T::narrow(&buffer, output);
                }
            }
        },
    );
    tensor(output, Shape::new([rows, width]))
}

fn row_backward<T: Number>(logits: &[T], class: usize, grad: f32, output: &mut [f32]) {
    T::widen(logits, output);
    let log_sum = dispatch(LogSumExp(output));
    dispatch(Shares {
        logits: output,
        log_sum,
        factor: grad,
    });
    output[class] -= grad;
}

/// The classes, where they are of a usual type.
fn indices(classes: &FlexTensor) -> Option<Vec<usize>> {
    let classes = dense(classes.clone());
    let (start, len) = (
        classes.layout().start_offset(),
        classes.layout().num_elements(),
    );
    match classes.dtype() {
        DType::I32 => {
            let classes = &classes.storage::<i32>()[start..start + len];
            Some(classes.iter().map(|&class| class as usize).collect())
        }
        DType::I64 => {
            let classes = &classes.storage::<i64>()[start..start + len];
            Some(classes.iter().map(|&class| class as usize).collect())
        }
        _ => None,
    }
}

/// The slice itself where it is f32, a copy in `buffer` where it is not.
fn wide<'a, T: Number>(source: &'a [T], buffer: &'a mut Vec<f32>) -> &'a [f32] {
    T::as_f32(source).unwrap_or_else(|| {
        buffer.resize(source.len(), 0.0);
        T::widen(source, buffer);
        buffer
    })
}

/// `ln Σ exp(x)`
struct LogSumExp<'a>(&'a [f32]);

impl WithSimd for LogSumExp<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let (vectors, rest) = S::as_simd_f32s(self.0);
        let mut max = simd.splat_f32s(f32::NEG_INFINITY);
        for &x in vectors {
            max = simd.max_f32s(max, x);
        }
        let max = rest
            .iter()
            .fold(simd.reduce_max_f32s(max), |max, &x| max.max(x));
        let shift = simd.splat_f32s(max);
        let mut sum = simd.splat_f32s(0.0);
        for &x in vectors {
            sum = simd.add_f32s(sum, exp(simd, simd.sub_f32s(x, shift)));
        }
        let rest: f32 = rest.iter().map(|x| (x - max).exp()).sum();
        (simd.reduce_sum_f32s(sum) + rest).ln() + max
    }
}

/// Replaces each `x` by `exp(x - log_sum) · factor`.
struct Shares<'a> {
    logits: &'a mut [f32],
    log_sum: f32,
    factor: f32,
}

impl WithSimd for Shares<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (log_sum, factor) = (simd.splat_f32s(self.log_sum), simd.splat_f32s(self.factor));
        map(
            simd,
            self.logits,
            #[inline(always)]
            |x| simd.mul_f32s(exp(simd, simd.sub_f32s(x, log_sum)), factor),
        );
    }
}
