//! A checked front to the `gemm` crate, which Burn's CPU backend uses as well.

use super::number::Rows;

/// A matrix with any distance between its elements.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    pub fn new(rows: Rows<'a>, count: usize, columns: usize) -> Self {
        Self {
            data: rows.data,
            rows: count,
            columns,
            row_stride: rows.stride,
            column_stride: 1,
        }
    }

    pub fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    fn check(&self) {
        if self.rows > 0 && self.columns > 0 {
            let last = (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride;
            assert!(last < self.data.len(), "matrix exceeds its storage");
        }
    }
}

/// Where [`multiply`] writes: rows that are `stride` elements apart.
pub(super) struct Target<'a> {
    pub data: &'a mut [f32],
    pub stride: usize,
    /// Add to what is there instead of replacing it.
    pub accumulate: bool,
}

/// `target (+)= factor · left · right`, on the calling thread.
pub(super) fn multiply(target: Target<'_>, left: Matrix<'_>, right: Matrix<'_>, factor: f32) {
    let (m, n, k) = (left.rows, right.columns, left.columns);
    assert_eq!(k, right.rows, "inner dimensions differ");
    if m == 0 || n == 0 {
        return;
    }
    assert!(n <= target.stride && (m - 1) * target.stride + n <= target.data.len());
    left.check();
    right.check();
    // SAFETY: all element offsets `row * row_stride + column * column_stride` of
    // the three matrices were checked to lie within their slices; the target is
    // borrowed exclusively, and as `n <= stride` its rows do not overlap.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            target.data.as_mut_ptr(),
            1,
            target.stride as isize,
            target.accumulate,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            factor,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
