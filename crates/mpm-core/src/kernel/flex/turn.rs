//! Outputs that were computed turned around.

use super::{number::Number, output::fill_one, scratch::Scratch};

/// Side of the squares that are turned around at a time: a cache line.
const LINE: usize = 16;

/// `[rows, d_out]`, from `columns`: `[d_out, rows]`, plus `bias` in every row.
pub(super) fn turned<T: Number>(columns: &[f32], rows: usize, bias: &[f32]) -> Vec<T> {
    let d_out = bias.len();
    fill_one(rows * d_out, LINE * d_out, |line, output: &mut [T]| {
        let place = [rows, line * LINE];
        match T::as_f32_mut(output) {
            Some(output) => turn(columns, place, bias, output),
            None => {
                let mut wide = Scratch::new(output.len());
                turn(columns, place, bias, &mut wide);
                T::narrow(&wide, output);
            }
        }
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
