//! Swapping two dimensions.

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

/// Elements that a task copies at least, for tasks to be worth their start.
const PER_TASK: usize = 16 * 1024;

/// `[batch, rows, columns, width]` as `[batch, columns, rows, width]`.
pub(super) fn swapped<T: Number>(x: FlexTensor) -> FlexTensor {
    let [batch, rows, columns, width] = x.shape().dims();
    let x = dense(x);
    let shape = Shape::new([batch, columns, rows, width]);
    if rows == 1 || columns == 1 {
        return x.reshape(shape);
    }
    let x = elements::<T>(&x);
    let output = match width {
        1 => transpose(x, [rows, columns]),
        _ => reorder(x, [rows, columns, width]),
    };
    tensor(output, shape)
}

/// Moves vectors of more than one element.
fn reorder<T: Number>(x: &[T], [rows, columns, width]: [usize; 3]) -> Vec<T> {
    // A task writes some lines of the output, which may belong to two batches.
    let line = (rows * width).max(1);
    let per_task = PER_TASK.div_ceil(line);
    fill_one(x.len(), per_task * line, |task, output: &mut [T]| {
        for (i, output) in output.chunks_exact_mut(line).enumerate() {
            let column = task * per_task + i;
            let (batch, column) = (column / columns, column % columns);
            let source = &x[(batch * rows * columns + column) * width..];
            let vectors = source.chunks(width).step_by(columns);
            for (target, vector) in output.chunks_exact_mut(width).zip(vectors) {
                target.copy_from_slice(vector);
            }
        }
    })
}

/// Moves single elements.
fn transpose<T: Number>(x: &[T], [rows, columns]: [usize; 2]) -> Vec<T> {
    // A task writes some rows of the output, which may belong to two matrices.
    fill_one(x.len(), (SIDE * rows).max(1), |task, output: &mut [T]| {
        let mut lines = output.chunks_exact_mut(rows).collect::<Vec<_>>();
        let (mut first, mut lines) = (task * SIDE, &mut lines[..]);
        while !lines.is_empty() {
            let (matrix, column) = (first / columns, first % columns);
            let count = lines.len().min(columns - column);
            let (these, rest) = lines.split_at_mut(count);
            turn(&x[matrix * rows * columns + column..], columns, these);
            (first, lines) = (first + count, rest);
        }
    })
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
