//! As long as the multiplications take, nearly: parts of the weight are dequantized for a blocked
//! matrix product, by each task for itself. The outputs are computed turned around, so that those
//! of a task lie together.

use super::{
    super::{
        gemm::{Matrix, Target, multiply},
        number::Rows,
        output::fill_one,
        scratch::Scratch,
    },
    weight::Weight,
};

/// Weights that a task dequantizes at a time (2 MiB): many enough that packing the other matrix
/// anew for each product is little beside it.
const PANEL: usize = 512 * 1024;

/// Outputs of the backward pass that a task computes. A multiple of the block, unless that is a
/// whole row.
const COLUMNS: usize = 256;

/// `weight · xᵀ`: `[d_out, rows]`
pub(super) fn columns(x: &[f32], weight: Weight<'_>, rows: usize) -> Vec<f32> {
    let d_in = weight.layout.d_in;
    let x = row_major(x, rows, d_in);
    let per_task = shared(weight.layout.d_out, PANEL.div_ceil(d_in));
    fill_one(weight.layout.d_out * rows, per_task * rows, |task, data| {
        let (first, count) = (task * per_task, data.len() / rows);
        let mut panel = Scratch::new(count * d_in);
        weight.dequantize(first..first + count, 0..d_in, &mut panel);
        let panel = row_major(&panel, count, d_in);
        let target = Target {
            data,
            stride: rows,
            accumulate: false,
        };
        multiply(target, panel, x.transposed(), 1.0);
    })
}

/// `weightᵀ · gradᵀ`: `[d_in, rows]`
pub(super) fn backward_columns(grad: &[f32], weight: Weight<'_>, rows: usize) -> Vec<f32> {
    let (d_in, d_out) = (weight.layout.d_in, weight.layout.d_out);
    let per_panel = PANEL / COLUMNS;
    fill_one(d_in * rows, COLUMNS * rows, |task, data| {
        let (first, count) = (task * COLUMNS, data.len() / rows);
        let mut panel = Scratch::new(per_panel.min(d_out) * count);
        for start in (0..d_out).step_by(per_panel) {
            let end = d_out.min(start + per_panel);
            weight.dequantize(start..end, first..first + count, &mut panel);
            let panel = row_major(&panel, end - start, count);
            let data_of_rows = Rows {
                data: &grad[start..],
                stride: d_out,
            };
            let grad = Matrix::new(data_of_rows, rows, end - start);
            let target = Target {
                data: &mut *data,
                stride: rows,
                accumulate: start > 0,
            };
            multiply(target, panel.transposed(), grad.transposed(), 1.0);
        }
    })
}

fn row_major(data: &[f32], rows: usize, columns: usize) -> Matrix<'_> {
    let stride = columns;
    Matrix::new(Rows { data, stride }, rows, columns)
}

/// At most `most` of `all`, such that each thread gets as much as the others.
fn shared(all: usize, most: usize) -> usize {
    let threads = rayon::current_num_threads();
    let tasks = all.div_ceil(most).next_multiple_of(threads);
    all.div_ceil(tasks)
}
