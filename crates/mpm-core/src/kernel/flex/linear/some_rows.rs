//! As long as the multiplications take, if the weights need not be turned around first:
//! the output is computed turned around instead, which is smaller.

use super::super::{
    gemm::{Matrix, Target, multiply},
    number::Rows,
    output::fill_one,
};

/// Side of the squares that are turned around at a time: a cache line.
const LINE: usize = 16;

/// `x · weightsᵀ + bias`
pub(super) fn linear(x: &[f32], weights: &[f32], bias: &[f32], rows: usize) -> Vec<f32> {
    let d_out = bias.len();
    let columns = columns(x, weights, rows);
    fill_one(rows * d_out, LINE * d_out, |line, output| {
        turn(&columns, [rows, line * LINE], bias, output);
    })
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

/// Writes up to [`LINE`] rows of the output, from `first` on.
fn turn(columns: &[f32], [rows, first]: [usize; 2], bias: &[f32], output: &mut [f32]) {
    let d_out = bias.len();
    let squares = if output.len() == LINE * d_out {
        d_out / LINE
    } else {
        0
    };
    for at in (0..squares).map(|square| square * LINE) {
        let columns = &columns[at * rows + first..];
        turn_square([columns, &bias[at..]], rows, &mut output[at..], d_out);
    }
    for at in squares * LINE..d_out {
        let column = &columns[at * rows + first..(at + 1) * rows];
        for (row, &value) in output.chunks_exact_mut(d_out).zip(column) {
            row[at] = value + bias[at];
        }
    }
}

/// Turns a square whose columns and rows are these distances apart.
fn turn_square(
    [columns, bias]: [&[f32]; 2],
    column_stride: usize,
    output: &mut [f32],
    row_stride: usize,
) {
    let mut square = [[0.0; LINE]; LINE];
    for (at, bias) in bias[..LINE].iter().enumerate() {
        let column = &columns[at * column_stride..][..LINE];
        for (row, value) in square.iter_mut().zip(column) {
            row[at] = value + bias;
        }
    }
    for (row, values) in square.iter().enumerate() {
        output[row * row_stride..][..LINE].copy_from_slice(values);
    }
}
