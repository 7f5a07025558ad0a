//! Turning rows into columns of a cache line and back.

use pulp::{Simd, WithSimd};

/// Elements of a cache line, and of the widest vector that is ever used.
pub(super) const LINE: usize = 16;

/// One element of each of [`LINE`] rows, side by side.
pub(super) type Line = [f32; LINE];

/// Writes up to [`LINE`] rows, which are `stride` elements apart in `rows`, as columns.
/// Where rows are missing, lines keep what they held.
pub(super) struct Interleave<'a> {
    pub rows: &'a [f32],
    pub stride: usize,
    pub count: usize,
    pub lines: &'a mut [Line],
}

impl WithSimd for Interleave<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let len = self.lines.len();
        let row = |i: usize| &self.rows[i * self.stride..][..len];
        if self.count == LINE {
            let rows: [&[f32]; LINE] = std::array::from_fn(row);
            for (x, line) in self.lines.iter_mut().enumerate() {
                for (value, row) in line.iter_mut().zip(rows) {
                    *value = row[x];
                }
            }
            return;
        }
        for i in 0..self.count {
            for (line, &x) in self.lines.iter_mut().zip(row(i)) {
                line[i] = x;
            }
        }
    }
}

/// Writes columns as rows, which are `stride` elements apart in `rows`, as many as there is
/// room for.
pub(super) struct Deinterleave<'a> {
    pub lines: &'a [Line],
    pub rows: &'a mut [f32],
    pub stride: usize,
}

impl WithSimd for Deinterleave<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let rows = self.rows.chunks_mut(self.stride);
        for (i, row) in rows.enumerate().take(LINE) {
            for (x, line) in row.iter_mut().zip(self.lines) {
                *x = line[i];
            }
        }
    }
}
