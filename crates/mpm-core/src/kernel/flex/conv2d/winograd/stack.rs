//! Where the values at the points lie.

use super::{
    super::super::{
        gemm::{Matrix, Target},
        lines::LINE,
        number::Rows,
    },
    transform::POINTS,
};

/// One matrix for each of the [`POINTS`], all of the same rows and columns, within a buffer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stack {
    rows: usize,
    pub columns: usize,
}

impl Stack {
    /// Matrices of at most so many rows and columns, the latter in whole lines.
    pub fn new(rows: usize, columns: usize) -> Self {
        Self {
            rows,
            columns: columns.next_multiple_of(LINE),
        }
    }

    /// Elements from one matrix to the next. The line between keeps the same place of all
    /// of them from competing for the same lines of the cache.
    pub fn stride(&self) -> usize {
        self.rows * self.columns + LINE
    }

    /// Elements of all matrices.
    pub fn len(&self) -> usize {
        POINTS * self.stride()
    }

    /// The first rows and columns of one of the matrices in `data`.
    pub fn matrix<'a>(
        &self,
        data: &'a [f32],
        point: usize,
        rows: usize,
        columns: usize,
    ) -> Matrix<'a> {
        let values = Rows {
            data: &data[point * self.stride()..],
            stride: self.columns,
        };
        Matrix::new(values, rows, columns)
    }

    /// A matrix of this stack as the target of a product.
    pub fn target<'a>(&self, matrix: &'a mut [f32], accumulate: bool) -> Target<'a> {
        Target {
            data: matrix,
            stride: self.columns,
            accumulate,
        }
    }
}
