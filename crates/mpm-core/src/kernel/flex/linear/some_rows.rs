//! As long as the multiplications take, if the weights need not be turned around first:
//! the output is computed turned around instead, which is smaller.

use super::super::{
    gemm::{Matrix, Target, multiply},
    number::Rows,
    output::fill_one,
    turn::turned,
};

/// `x · weightsᵀ + bias`
pub(super) fn linear(x: &[f32], weights: &[f32], bias: &[f32], rows: usize) -> Vec<f32> {
    turned(&columns(x, weights, rows), rows, bias)
}

/// The output turned around, `weights · xᵀ`: `[d_out, rows]`.
fn columns(x: &[f32], weights: &[f32], rows: usize) -> Vec<f32> {
    let d_in = x.len() / rows;
    let d_out = weights.len() / d_in;
    let row_major = |data, rows| {
        let stride = d_in;
        Matrix::new(Rows { data, stride }, rows, d_in)
    };
    let x = row_major(x, rows);
    // Each task brings the input into the order of the product for itself.
    let per_task = d_out.div_ceil(rayon::current_num_threads());
    fill_one(d_out * rows, per_task * rows, |task, data| {
        let columns = data.len() / rows;
        let target = Target {
            data,
            stride: rows,
            accumulate: false,
        };
        let weights = row_major(&weights[task * per_task * d_in..], columns);
        multiply(target, weights, x.transposed(), 1.0);
    })
}
