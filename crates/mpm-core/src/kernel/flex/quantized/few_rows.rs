//! As long as reading the codes takes, which is done once and straight from storage.

use pulp::{Simd, WithSimd};

use super::{
    super::{
        math::{dispatch, dots},
        output::fill_one,
    },
    weight::Weight,
};

/// Weights per parallel task: enough to outweigh the cost of handing it over.
pub(super) const TASK: usize = 128 * 1024;

/// `weight · xᵀ` for at most [`FEW_ROWS`](super::FEW_ROWS) rows: `[d_out, rows]`
pub(super) fn columns(x: &[f32], weight: Weight<'_>, rows: usize) -> Vec<f32> {
    columns_by_cpu(x, weight, rows).unwrap_or_else(|| portable_columns(x, weight, rows))
}

/// The same with instructions of a certain CPU, if it is the running one.
pub(super) fn columns_by_cpu(x: &[f32], weight: Weight<'_>, rows: usize) -> Option<Vec<f32>> {
    #[cfg(target_arch = "x86_64")]
    return super::x86::columns(x, weight, rows);
    #[cfg(not(target_arch = "x86_64"))]
    {
        let _ = (x, weight, rows);
        None
    }
}

/// The same on any CPU: each row of the weight is dequantized into the first-level cache.
pub(super) fn portable_columns(x: &[f32], weight: Weight<'_>, rows: usize) -> Vec<f32> {
    let d_in = weight.layout.d_in;
    let per_task = TASK.div_ceil(d_in);
    fill_one(
        weight.layout.d_out * rows,
        per_task * rows,
        |task, columns| {
            let mut wide = vec![0.0; d_in];
            for (i, column) in columns.chunks_exact_mut(rows).enumerate() {
                let row = task * per_task + i;
                weight.dequantize(row..row + 1, 0..d_in, &mut wide);
                for (value, x) in column.iter_mut().zip(x.chunks_exact(d_in)) {
                    *value = dispatch(Dot { weight: &wide, x });
                }
            }
        },
    )
}

struct Dot<'a> {
    weight: &'a [f32],
    x: &'a [f32],
}

impl WithSimd for Dot<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        let [[dot]] = dots::<S, 1, 1, 4>(simd, [self.weight], [self.x]);
        dot
    }
}
