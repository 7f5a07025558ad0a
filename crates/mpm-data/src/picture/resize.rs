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
    let stride = picture.width() as usize * CHANNELS;
    let left = region.left as usize * CHANNELS;
    let row_len = region.width as usize * CHANNELS;
    let rows = picture.pixels()
        .chunks_exact(stride)
        .skip(region.top as usize)
        .take(region.height as usize)
        .map(|row| &row[left..left + row_len]);

    let row_out = width as usize * CHANNELS;

    let pixels = if columns_first(region, width, height) {
        let rows: Vec<&[u8]> = rows.collect();
        let reduced = convolve_columns(&rows, &Weights::new(region.height, height));
        convolve_rows(reduced.chunks_exact(row_len), row_out, region.width, width)
    } else {
        let reduced = convolve_rows(rows, row_out, region.width, width);
        if height == region.height {
            reduced
        } else {
            let rows: Vec<&[u8]> = reduced.chunks_exact(row_out).collect();
            convolve_columns(&rows, &Weights::new(region.height, height))
        }
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
            window.extend(
                (first..last).map(|x| bicubic((x as f64 - center + 0.5) * inverse)),
            );
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
        self.windows.iter().map(|(first, range)| (*first, &self.values[range.clone()]))
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

/// Half of the last bit that survives, so that dropping the fraction rounds.
const ROUNDING: i32 = 1 << (PRECISION_BITS - 1);

/// Drops the fraction and limits to a byte, since the filter overshoots at edges.
fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION_BITS).clamp(0, 255) as u8
}

/// The pass along rows; `source` and `target` are their lengths in pixels.
fn convolve_rows<'a>(
    rows: impl ExactSizeIterator<Item = &'a [u8]>,
    row_out: usize,
    source: u32,
    target: u32,
) -> Vec<u8> {
    if source == target {
        return rows.flatten().copied().collect();
    }
    let weights = Weights::new(source, target);
    let mut out = vec![0; rows.len() * row_out];
    for (row, out) in rows.zip(out.chunks_exact_mut(row_out)) {
        convolve_row(row, &weights, out);
    }
    out
}

fn convolve_row(row: &[u8], weights: &Weights, out: &mut [u8]) {
    let row = row.as_chunks::<CHANNELS>().0;
    for ((first, weights), out) in weights.iter().zip(out.as_chunks_mut::<CHANNELS>().0) {
        let mut sums = [ROUNDING; CHANNELS];
        for (pixel, &weight) in row[first..].iter().zip(weights) {
            for (sum, &sample) in sums.iter_mut().zip(pixel) {
                *sum += i32::from(sample) * weight;
            }
        }
        *out = sums.map(to_byte);
    }
}

/// The pass along columns.
fn convolve_columns(rows: &[&[u8]], weights: &Weights) -> Vec<u8> {
    let row_len = rows[0].len();
    let mut out = Vec::with_capacity(weights.windows.len() * row_len);
    let mut sums = vec![0; row_len];
    for (first, weights) in weights.iter() {
        sums.fill(ROUNDING);
        for (row, &weight) in rows[first..].iter().zip(weights) {
            for (sum, &sample) in sums.iter_mut().zip(*row) {
                *sum += i32::from(sample) * weight;
            }
        }
        out.extend(sums.iter().map(|&sum| to_byte(sum)));
    }
    out
}
