//! A checked front to the `gemm` crate, which Burn's CPU backend uses as well.

use rayon::prelude::*;

use super::number::Rows;

/// Rows that a task writes the bias into, at least.
const BIAS_ROWS: usize = 64;

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

    pub fn rows(&self) -> usize {
        self.rows
    }

    pub fn columns(&self) -> usize {
        self.columns
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
        unchecked(
            (target.data.as_mut_ptr(), target.stride, target.accumulate),
            [left, right],
            factor,
            gemm::Parallelism::None,
        );
    }
}

/// `left · right`, plus `bias` in every row, by all threads.
pub(super) fn product(left: Matrix<'_>, right: Matrix<'_>, bias: Option<&[f32]>) -> Vec<f32> {
    let (m, n) = (left.rows, right.columns);
    assert_eq!(left.columns, right.rows, "inner dimensions differ");
    // What is written where nothing is added up is the crate's business.
    assert!(left.columns > 0, "no inner dimension");
    left.check();
    right.check();
    let mut output = Vec::with_capacity(m * n);
    if let Some(bias) = bias.filter(|_| n > 0) {
        assert_eq!(bias.len(), n, "the bias has another width");
        let rows = output.spare_capacity_mut()[..m * n].par_chunks_exact_mut(n);
        rows.with_min_len(BIAS_ROWS).for_each(|row| {
            for (element, &bias) in row.iter_mut().zip(bias) {
                element.write(bias);
            }
        });
    }
    // SAFETY: the matrices lie within their slices, as above; the output has room for `m` rows
    // of `n` elements, all of which are written. What is there before is read with a bias only,
    // which has been written then.
    unsafe {
        unchecked(
            (output.as_mut_ptr(), n, bias.is_some()),
            [left, right],
            1.0,
            gemm::Parallelism::Rayon(0),
        );
        output.set_len(m * n);
    }
    output
}

/// # Safety
/// The matrices lie within their slices, and nobody else uses the target, rows of
/// `right.columns` elements at this distance; if it is added to, its elements are initialised.
unsafe fn unchecked(
    (target, stride, accumulate): (*mut f32, usize, bool),
    [left, right]: [Matrix<'_>; 2],
    factor: f32,
    parallelism: gemm::Parallelism,
) {
    // SAFETY: as promised by the caller.
    unsafe {
        gemm::gemm(
            left.rows,
            right.columns,
            left.columns,
            target,
            1,
            stride as isize,
            accumulate,
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
            parallelism,
        );
    }
}
