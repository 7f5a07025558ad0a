//! Vectorised transforms of tiles, which lie as lines of channels.

use pulp::{Simd, WithSimd};

use super::{
    super::super::{
        gemm::Matrix,
        lines::{LINE, Line},
        number::Rows,
    },
    POINTS,
    transform::{self, IN, KERNEL, OUT},
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

    /// The first rows and columns of one of the matrices.
    pub fn matrix<'a>(
        &self,
        data: &'a [f32],
        point: usize,
        rows: usize,
        columns: usize,
    ) -> Matrix<'a> {
        let rows_of_data = Rows {
            data: &data[point * self.stride()..],
            stride: self.columns,
        };
        Matrix::new(rows_of_data, rows, columns)
    }

    /// Elements of all matrices.
    pub fn len(&self) -> usize {
        POINTS * self.stride()
    }
}

/// Turns pixels, [`IN`] rows of which are `width` lines apart, into one row of the matrices
/// for each tile, `place` elements from the start of the matrix.
pub(super) struct Input<'a> {
    pub pixels: &'a [Line],
    pub width: usize,
    pub stack: Stack,
    pub place: usize,
    pub output: &'a mut [f32],
}

impl WithSimd for Input<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (stride, columns) = (self.stack.stride(), self.stack.columns);
        for tile in 0..(self.width - (IN - OUT)) / OUT {
            let pixels = &self.pixels[tile * OUT..][..(IN - 1) * self.width + IN];
            let place = self.place + tile * columns;
            for part in 0..LINE / S::F32_LANES {
                let mut x = [[simd.splat_f32s(0.0); IN]; IN];
                for column in 0..IN {
                    let mut old = [simd.splat_f32s(0.0); IN];
                    for row in 0..IN {
                        old[row] = S::as_simd_f32s(&pixels[row * self.width + column]).0[part];
                    }
                    let changed = transform::input(simd, old);
                    for row in 0..IN {
                        x[row][column] = changed[row];
                    }
                }
                for (row, x) in x.into_iter().enumerate() {
                    let changed = transform::input(simd, x);
                    for (column, x) in changed.into_iter().enumerate() {
                        let start = (row * IN + column) * stride + place;
                        let line = &mut self.output[start..][..LINE];
                        S::as_mut_simd_f32s(line).0[part] = x;
                    }
                }
            }
        }
    }
}

/// Turns kernels, 9 lines each, into rows of the matrices, `place` elements from the start of
/// the matrix.
pub(super) struct Kernels<'a> {
    pub kernels: &'a [[Line; KERNEL * KERNEL]],
    pub stack: Stack,
    pub place: usize,
    pub output: &'a mut [f32],
}

impl WithSimd for Kernels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (stride, columns) = (self.stack.stride(), self.stack.columns);
        for (i, kernel) in self.kernels.iter().enumerate() {
            let place = self.place + i * columns;
            for part in 0..LINE / S::F32_LANES {
                let mut x = [[simd.splat_f32s(0.0); KERNEL]; IN];
                for column in 0..KERNEL {
                    let mut old = [simd.splat_f32s(0.0); KERNEL];
                    for row in 0..KERNEL {
                        old[row] = S::as_simd_f32s(&kernel[row * KERNEL + column]).0[part];
                    }
                    let changed = transform::kernel(simd, old);
                    for row in 0..IN {
                        x[row][column] = changed[row];
                    }
                }
                for (row, x) in x.into_iter().enumerate() {
                    let changed = transform::kernel(simd, x);
                    for (column, x) in changed.into_iter().enumerate() {
                        let start = (row * IN + column) * stride + place;
                        let line = &mut self.output[start..][..LINE];
                        S::as_mut_simd_f32s(line).0[part] = x;
                    }
                }
            }
        }
    }
}

/// Turns a row of the matrices for each tile, from `place` elements from the start of the
/// matrix on, into pixels plus a bias: [`OUT`] rows of which are `width` lines apart.
pub(super) struct Output<'a> {
    pub products: &'a [f32],
    pub stack: Stack,
    pub place: usize,
    pub bias: &'a Line,
    pub pixels: &'a mut [Line],
    pub width: usize,
}

impl WithSimd for Output<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (stride, columns) = (self.stack.stride(), self.stack.columns);
        for tile in 0..self.width / OUT {
            let place = self.place + tile * columns;
            for part in 0..LINE / S::F32_LANES {
                let mut x = [[simd.splat_f32s(0.0); IN]; OUT];
                for column in 0..IN {
                    let mut old = [simd.splat_f32s(0.0); IN];
                    for row in 0..IN {
                        let start = (row * IN + column) * stride + place;
                        old[row] = S::as_simd_f32s(&self.products[start..][..LINE]).0[part];
                    }
                    let changed = transform::output(simd, old);
                    for row in 0..OUT {
                        x[row][column] = changed[row];
                    }
                }
                let bias = S::as_simd_f32s(self.bias).0[part];
                for (row, x) in x.into_iter().enumerate() {
                    let changed = transform::output(simd, x);
                    let pixels = &mut self.pixels[row * self.width + tile * OUT..][..OUT];
                    for (pixel, x) in pixels.iter_mut().zip(changed) {
                        S::as_mut_simd_f32s(pixel).0[part] = simd.add_f32s(x, bias);
                    }
                }
            }
        }
    }
}
