//! Vectorised transforms of tiles, which lie as lines of channels.

use pulp::{Simd, WithSimd};
use std::marker::PhantomData;

use super::{
    super::super::lines::{LINE, Line},
    stack::Stack,
    transform::{IN, Transform},
};

/// Some tiles as lines: pixels of a tile's rows side by side.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub tiles: usize,
    /// Lines from one tile to the next.
    pub step: usize,
    /// Lines from one row of a tile to the next.
    pub width: usize,
    /// Where the first tile is from the start of each matrix on; the others follow in the
    /// same columns of the next rows.
    pub start: usize,
}

/// Transforms squares of `SIDE` lines to the points.
pub(super) struct ToPoints<'a, T, const SIDE: usize> {
    pub lines: &'a [Line],
    pub stack: Stack,
    pub points: &'a mut [f32],
    pub place: Place,
    pub transform: PhantomData<T>,
}

impl<T: Transform<SIDE, IN>, const SIDE: usize> WithSimd for ToPoints<'_, T, SIDE> {
    type Output = ();

    #[inline(always)]
    #[expect(
        clippy::needless_range_loop,
        reason = "loops over constants are unrolled, and keep the tile in registers"
    )]
    fn with_simd<S: Simd>(self, simd: S) {
        let Place {
            tiles,
            step,
            width,
            start,
        } = self.place;
        let (stride, columns) = (self.stack.stride(), self.stack.columns);
        for tile in 0..tiles {
            let lines = &self.lines[tile * step..][..(SIDE - 1) * width + SIDE];
            let start = start + tile * columns;
            for part in 0..LINE / S::F32_LANES {
                let mut x = [[simd.splat_f32s(0.0); SIDE]; IN];
                for column in 0..SIDE {
                    let mut old = [simd.splat_f32s(0.0); SIDE];
                    for row in 0..SIDE {
                        old[row] = S::as_simd_f32s(&lines[row * width + column]).0[part];
                    }
                    let new = T::apply(simd, old);
                    for row in 0..IN {
                        x[row][column] = new[row];
                    }
                }
                for row in 0..IN {
                    let new = T::apply(simd, x[row]);
                    for column in 0..IN {
                        let start = (row * IN + column) * stride + start;
                        let line = &mut self.points[start..][..LINE];
                        S::as_mut_simd_f32s(line).0[part] = new[column];
                    }
                }
            }
        }
    }
}

/// Transforms values at the points to squares of `SIDE` lines, and adds a bias.
pub(super) struct FromPoints<'a, T, const SIDE: usize> {
    pub points: &'a [f32],
    pub stack: Stack,
    pub bias: &'a Line,
    pub lines: &'a mut [Line],
    pub place: Place,
    pub transform: PhantomData<T>,
}

impl<T: Transform<IN, SIDE>, const SIDE: usize> WithSimd for FromPoints<'_, T, SIDE> {
    type Output = ();

    #[inline(always)]
    #[expect(
        clippy::needless_range_loop,
        reason = "loops over constants are unrolled, and keep the tile in registers"
    )]
    fn with_simd<S: Simd>(self, simd: S) {
        let Place {
            tiles,
            step,
            width,
            start,
        } = self.place;
        let (stride, columns) = (self.stack.stride(), self.stack.columns);
        for tile in 0..tiles {
            let lines = &mut self.lines[tile * step..][..(SIDE - 1) * width + SIDE];
            let start = start + tile * columns;
            for part in 0..LINE / S::F32_LANES {
                let mut x = [[simd.splat_f32s(0.0); IN]; SIDE];
                for column in 0..IN {
                    let mut old = [simd.splat_f32s(0.0); IN];
                    for row in 0..IN {
                        let start = (row * IN + column) * stride + start;
                        old[row] = S::as_simd_f32s(&self.points[start..][..LINE]).0[part];
                    }
                    let new = T::apply(simd, old);
                    for row in 0..SIDE {
                        x[row][column] = new[row];
                    }
                }
                let bias = S::as_simd_f32s(self.bias).0[part];
                for row in 0..SIDE {
                    let new = T::apply(simd, x[row]);
                    for column in 0..SIDE {
                        let line = &mut lines[row * width + column];
                        S::as_mut_simd_f32s(line).0[part] = simd.add_f32s(new[column], bias);
                    }
                }
            }
        }
    }
}
