//! Swapping rows and columns of matrices.

use burn::{
    backend::flex::FlexTensor,
    tensor::{Shape, TensorMetadata},
};

use super::{
    number::{Number, dense, elements, tensor},
    output::fill_one,
};

/// Side of the squares that are turned around at a time: a cache line of f32.
const SIDE: usize = 16;

/// `[batch, rows, columns]` as `[batch, columns, rows]`.
pub(super) fn transposed<T: Number>(x: FlexTensor) -> FlexTensor {
    let [batch, rows, columns] = x.shape().dims();
    let x = dense(x);
    let x = elements::<T>(&x);
    // A task writes some rows of the output, which may belong to two matrices.
    let output = fill_one(x.len(), (SIDE * rows).max(1), |task, output: &mut [T]| {
        let mut lines = output.chunks_exact_mut(rows).collect::<Vec<_>>();
        let (mut first, mut lines) = (task * SIDE, &mut lines[..]);
        while !lines.is_empty() {
            let (matrix, column) = (first / columns, first % columns);
            let count = lines.len().min(columns - column);
            let (these, rest) = lines.split_at_mut(count);
            turn(&x[matrix * rows * columns + column..], columns, these);
            (first, lines) = (first + count, rest);
        }
    });
    tensor(output, Shape::new([batch, columns, rows]))
}

/// Writes the first columns of a matrix into `lines`, square by square.
fn turn<T: Number>(x: &[T], stride: usize, lines: &mut [&mut [T]]) {
    let rows = lines.first().map_or(0, |line| line.len());
    for start in (0..rows).step_by(SIDE) {
        let end = rows.min(start + SIDE);
        let mut square = [[T::zeroed(); SIDE]; SIDE];
        for (i, row) in (start..end).enumerate() {
            let source = &x[row * stride..][..lines.len()];
            for (line, &value) in square.iter_mut().zip(source) {
                line[i] = value;
            }
        }
        for (line, square) in lines.iter_mut().zip(&square) {
            line[start..end].copy_from_slice(&square[..end - start]);
        }
    }
}
