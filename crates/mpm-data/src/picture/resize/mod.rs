//! Antialiased bicubic resizing, bit for bit as Pillow's `Image.resize(size, BICUBIC)`.
//!
//! The models were trained on Pillow's pixels, so the algorithm is fixed: a separable
//! convolution whose filter grows with the reduction factor, rounded to 8 bits between its two
//! passes, in fixed-point arithmetic with 22 fractional bits. Rounding makes the order of the
//! passes visible, see [`FirstPass`].
//!
//! The crate `fast_image_resize` uses the same filter, but always runs along columns first and
//! keeps 16-bit weights, which changes many pixels, by tens of levels where a picture is
//! enlarged.

mod weights;

use std::num::NonZeroU32;

pub(super) use self::weights::Axis;
use self::weights::{PRECISION_BITS, Weights};
use super::{Picture, crop::Region, rgb::CHANNELS};

impl Picture {
    /// Resizes to `width` x `height` pixels with antialiased bicubic interpolation. The aspect
    /// ratio is not kept.
    ///
    /// The result equals that of `resize((width, height), Resampling.BICUBIC)` in Pillow 13.
    ///
    /// ```
    /// use std::num::NonZeroU32;
    /// use mpm_data::picture::Picture;
    ///
    /// let picture = Picture::from_rgb(1, 1, vec![10, 20, 30])?;
    /// let size = NonZeroU32::new(4).unwrap();
    /// assert_eq!(picture.resize(size, size).pixel(3, 3), Some([10, 20, 30]));
    /// # Ok::<(), mpm_data::picture::PictureError>(())
    /// ```
    pub fn resize(&self, width: NonZeroU32, height: NonZeroU32) -> Self {
        resize_region(self, Region::whole(self), width, height)
    }

    /// The largest square in the middle, resized to `side` x `side` pixels like
    /// [`resize`](Self::resize).
    pub fn middle_square(&self, side: NonZeroU32) -> Self {
        let shorter = self.width().min(self.height());
        let region = Region {
            left: (self.width() - shorter) / 2,
            top: (self.height() - shorter) / 2,
            width: shorter,
            height: shorter,
        };
        resize_region(self, region, side, side)
    }
}

/// Resizes one part of a picture as if it had been cut out before.
pub(super) fn resize_region(
    picture: &Picture,
    region: Region,
    width: NonZeroU32,
    height: NonZeroU32,
) -> Picture {
    let across = Axis::whole(region.width, width.get());
    let down = Axis::whole(region.height, height.get());
    let first = FirstPass::of_pillow_13(across, down);
    resize_window(picture, region, across, down, first)
}

/// Which pass comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstPass {
    /// The one along rows: always, before Pillow 13.
    Rows,
    /// The one along columns.
    Columns,
}

impl FirstPass {
    /// As since Pillow 13: the pass along columns, when it removes more than twice as many rows as
    /// the other pass would remove columns.
    fn of_pillow_13(across: Axis, down: Axis) -> Self {
        let removed = |axis: Axis| i128::from(axis.source) - i128::from(axis.target);
        match removed(down) > 0 && removed(down) > 2 * removed(across) {
            true => Self::Columns,
            false => Self::Rows,
        }
    }
}

/// Resizes one part of a picture and cuts out of the result, whose other pixels are never
/// computed.
pub(super) fn resize_window(
    picture: &Picture,
    region: Region,
    across: Axis,
    down: Axis,
    first: FirstPass,
) -> Picture {
    let (width, height) = (across.len, down.len);
    let (columns, across) = across.plan();
    let (lines, down) = down.plan();
    let left = (region.left as usize + columns.start) * CHANNELS;
    let row_len = columns.len() * CHANNELS;
    let rows: Vec<&[u8]> = picture
        .pixels()
        .chunks_exact(picture.width() as usize * CHANNELS)
        .skip(region.top as usize + lines.start)
        .take(lines.len())
        .map(|row| &row[left..left + row_len])
        .collect();

    let pixels = match first {
        FirstPass::Columns => {
            let reduced = resize_columns(&rows, down.as_ref());
            let rows: Vec<&[u8]> = reduced.chunks_exact(row_len).collect();
            resize_rows(&rows, across.as_ref())
        }
        FirstPass::Rows => {
            let reduced = resize_rows(&rows, across.as_ref());
            let rows: Vec<&[u8]> = reduced.chunks_exact(width as usize * CHANNELS).collect();
            resize_columns(&rows, down.as_ref())
        }
    };
    Picture::from_own_buffer(width, height, pixels)
}

/// The pass along columns: one row for each output pixel of `weights`.
fn resize_columns(rows: &[&[u8]], weights: Option<&Weights>) -> Vec<u8> {
    let Some(weights) = weights else {
        return rows.concat();
    };
    let mut out = vec![0; weights.len() * rows[0].len()];
    convolve(rows, weights, &mut out);
    out
}

/// The pass along rows: all rows become as long as `weights` has output pixels.
///
/// Blocks of rows are transposed, so that the convolution reads neighbouring samples with the
/// same weight, which is what vector instructions are good at.
fn resize_rows(rows: &[&[u8]], weights: Option<&Weights>) -> Vec<u8> {
    /// Rows in a block: its transposed rows are full vectors.
    const BLOCK: usize = 32;
    /// Pixels transposed at a time, few enough for the fastest cache.
    const TILE: usize = 64;
    let Some(weights) = weights else {
        return rows.concat();
    };
    let (source, target) = (rows[0].len() / CHANNELS, weights.len());
    let mut out = vec![0; rows.len() * target * CHANNELS];
    let mut transposed = vec![0; source * BLOCK * CHANNELS];
    let mut convolved = vec![0; target * BLOCK * CHANNELS];
    for (rows, out) in rows
        .chunks(BLOCK)
        .zip(out.chunks_mut(BLOCK * target * CHANNELS))
    {
        let column_len = rows.len() * CHANNELS;
        let transposed = &mut transposed[..source * column_len];
        let convolved = &mut convolved[..target * column_len];
        for (tile, columns) in transposed.chunks_mut(TILE * column_len).enumerate() {
            for (y, row) in rows.iter().enumerate() {
                let row = &row.as_chunks::<CHANNELS>().0[tile * TILE..];
                for (pixel, column) in row.iter().zip(columns.chunks_exact_mut(column_len)) {
                    column[y * CHANNELS..][..CHANNELS].copy_from_slice(pixel);
                }
            }
        }
        let columns: Vec<&[u8]> = transposed.chunks_exact(column_len).collect();
        convolve(&columns, weights, convolved);
        for (y, out) in out.chunks_exact_mut(target * CHANNELS).enumerate() {
            let out = out.as_chunks_mut::<CHANNELS>().0;
            for (pixel, column) in out.iter_mut().zip(convolved.chunks_exact(column_len)) {
                pixel.copy_from_slice(&column[y * CHANNELS..][..CHANNELS]);
            }
        }
    }
    out
}

/// Weighted sums of `rows`, one for each output pixel of `weights`, into `out`.
fn convolve(rows: &[&[u8]], weights: &Weights, out: &mut [u8]) {
    /// The same code, compiled for processors with wider vectors.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn convolve_avx2(rows: &[&[u8]], weights: &Weights, out: &mut [u8]) {
        convolve_any(rows, weights, out);
    }

    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: this processor has the only feature that the function asks for.
        return unsafe { convolve_avx2(rows, weights, out) };
    }
    convolve_any(rows, weights, out);
}

#[inline(always)]
fn convolve_any(rows: &[&[u8]], weights: &Weights, out: &mut [u8]) {
    /// Sums that are kept in registers.
    const LANES: usize = 32;
    let row_len = rows[0].len();
    for ((first, weights), out) in weights.iter().zip(out.chunks_exact_mut(row_len)) {
        let rows = &rows[first..first + weights.len()];
        let (chunks, rest) = out.as_chunks_mut::<LANES>();
        for (index, out) in chunks.iter_mut().enumerate() {
            let mut sums = [ROUNDING; LANES];
            for (row, &weight) in rows.iter().zip(weights) {
                let samples = &row[index * LANES..][..LANES];
                for (sum, &sample) in sums.iter_mut().zip(samples) {
                    *sum = add_product(*sum, sample, weight);
                }
            }
            for (out, sum) in out.iter_mut().zip(sums) {
                *out = to_byte(sum);
            }
        }
        let done = row_len - rest.len();
        for (index, out) in rest.iter_mut().enumerate() {
            let mut sum = ROUNDING;
            for (row, &weight) in rows.iter().zip(weights) {
                sum = add_product(sum, row[done + index], weight);
            }
            *out = to_byte(sum);
        }
    }
}

/// [`PRECISION_BITS`] leaves room for every sum; saying "wrapping" keeps the checks of
/// development builds from undoing the vector instructions.
#[inline(always)]
fn add_product(sum: i32, sample: u8, weight: i32) -> i32 {
    sum.wrapping_add(i32::from(sample).wrapping_mul(weight))
}

/// Half of the last bit that survives, so that dropping the fraction rounds.
const ROUNDING: i32 = 1 << (PRECISION_BITS - 1);

/// Drops the fraction and limits to a byte, since the filter overshoots at edges.
#[inline(always)]
fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}
