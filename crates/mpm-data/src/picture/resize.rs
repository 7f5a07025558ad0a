//! Antialiased bicubic resizing, bit for bit as Pillow's `Image.resize(size, BICUBIC)`.
//!
//! The models were trained on Pillow's pixels, so the algorithm is fixed: a separable
//! convolution whose filter grows with the reduction factor, rounded to 8 bits between its two
//! passes, in fixed-point arithmetic with 22 fractional bits. Rounding makes the order of the
//! passes visible, see [`columns_first`].
//!
//! The crate `fast_image_resize` uses the same filter, but always runs along columns first and
//! keeps 16-bit weights, which changes many pixels, by tens of levels where a picture is
//! enlarged.

use std::num::NonZeroU32;

use super::rgb::CHANNELS;
use super::{Picture, crop::Region};

/// Fractional bits of the fixed-point weights: a sum of products of 8-bit samples with weights
/// whose partial sums stay within -1..=2 fits 32 bits.
const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Reach of the bicubic filter to either side, in source pixels when not reducing.
const SUPPORT: f64 = 2.0;

impl Picture {
    /// Resizes to `width` x `height` pixels with antialiased bicubic interpolation. The aspect
    /// ratio is not kept.
    ///
    /// The result equals that of Pillow's `resize((width, height), Resampling.BICUBIC)`.
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
}

/// Resizes one part of a picture as if it had been cut out before.
pub(super) fn resize_region(
    picture: &Picture,
    region: Region,
    width: NonZeroU32,
    height: NonZeroU32,
) -> Picture {
    let (width, height) = (width.get(), height.get());
    let left = region.left as usize * CHANNELS;
    let row_len = region.width as usize * CHANNELS;
    let rows: Vec<&[u8]> = picture
        .pixels()
        .chunks_exact(picture.width() as usize * CHANNELS)
        .skip(region.top as usize)
        .take(region.height as usize)
        .map(|row| &row[left..left + row_len])
        .collect();
    let row_out = width as usize * CHANNELS;

    let pixels = if columns_first(region, width, height) {
        let reduced = resize_columns(&rows, height);
        let rows: Vec<&[u8]> = reduced.chunks_exact(row_len).collect();
        resize_rows(&rows, width)
    } else {
        let reduced = resize_rows(&rows, width);
        let rows: Vec<&[u8]> = reduced.chunks_exact(row_out).collect();
        resize_columns(&rows, height)
    };
    Picture::from_own_buffer(width, height, pixels)
}

/// Whether the pass along columns comes first, as since Pillow 13: when it removes more than
/// twice as many rows as the other pass would remove columns.
fn columns_first(region: Region, width: u32, height: u32) -> bool {
    let removed_rows = i64::from(region.height) - i64::from(height);
    let removed_columns = i64::from(region.width) - i64::from(width);
    removed_rows > 0 && removed_rows > 2 * removed_columns
}

/// The filter weights of all output pixels along one axis.
struct Weights {
    /// For each output pixel, the first source pixel and the range of its weights in `values`.
    windows: Vec<(usize, std::ops::Range<usize>)>,
    /// Fixed-point weights with [`PRECISION_BITS`] fractional bits.
    values: Vec<i32>,
}

impl Weights {
    fn new(source: u32, target: u32) -> Self {
        let scale = f64::from(source) / f64::from(target);
        // Only reducing widens the filter; enlarging interpolates between neighbours.
        let filter_scale = scale.max(1.0);
        let support = SUPPORT * filter_scale;
        let inverse = 1.0 / filter_scale;

        let mut windows = Vec::with_capacity(target as usize);
        let mut values = Vec::new();
        let mut window = Vec::new();
        for index in 0..target {
            let center = (f64::from(index) + 0.5) * scale;
            // Float to integer casts saturate: below zero becomes zero.
            let first = (center - support + 0.5) as usize;
            let last = ((center + support + 0.5) as usize).min(source as usize);
            window.clear();
            window.extend((first..last).map(|x| bicubic((x as f64 - center + 0.5) * inverse)));
            let sum: f64 = window.iter().sum();
            let start = values.len();
            values.extend(window.iter().map(|&weight| {
                let normalised = if sum == 0.0 { weight } else { weight / sum };
                (normalised * f64::from(1 << PRECISION_BITS)).round() as i32
            }));
            windows.push((first, start..values.len()));
        }
        Self { windows, values }
    }

    /// The first source pixel and the weights of each output pixel.
    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.windows
            .iter()
            .map(|(first, range)| (*first, &self.values[range.clone()]))
    }
}

/// The cubic convolution kernel with a = -1/2 (Keys, 1981).
fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

/// The pass along columns: `rows` become `height` rows.
fn resize_columns(rows: &[&[u8]], height: u32) -> Vec<u8> {
    if rows.len() == height as usize {
        return rows.concat();
    }
    let mut out = vec![0; height as usize * rows[0].len()];
    convolve(rows, &Weights::new(rows.len() as u32, height), &mut out);
    out
}

/// The pass along rows: all rows become `width` pixels long.
///
/// Blocks of rows are transposed, so that the convolution reads neighbouring samples with the
/// same weight, which is what vector instructions are good at.
fn resize_rows(rows: &[&[u8]], width: u32) -> Vec<u8> {
    /// Rows in a block: its transposed rows are full vectors.
    const BLOCK: usize = 32;
    /// Pixels transposed at a time, few enough for the fastest cache.
    const TILE: usize = 64;
    let source = rows[0].len() / CHANNELS;
    let target = width as usize;
    if source == target {
        return rows.concat();
    }
    let weights = Weights::new(source as u32, width);
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
        convolve(&columns, &weights, convolved);
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
