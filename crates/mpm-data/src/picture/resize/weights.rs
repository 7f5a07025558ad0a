//! Which source pixels make an output pixel, and with which weights.

use std::ops::Range;

/// Fractional bits of the fixed-point weights: a sum of products of 8-bit samples with weights
/// whose partial sums stay within -1..=2 fits 32 bits.
pub(super) const PRECISION_BITS: u32 = 32 - 8 - 2;

/// Reach of the bicubic filter to either side, in source pixels when not reducing.
const SUPPORT: f64 = 2.0;

/// How one axis is resized, and the part of the result that is asked for.
#[derive(Debug, Clone, Copy)]
pub(in crate::picture) struct Axis {
    /// Pixels before.
    pub source: u32,
    /// Pixels after.
    pub target: u64,
    /// The first of these that is computed.
    pub first: u64,
    /// How many of them are computed.
    pub len: u32,
}

impl Axis {
    pub(super) fn whole(source: u32, target: u32) -> Self {
        Self {
            source,
            target: u64::from(target),
            first: 0,
            len: target,
        }
    }

    /// The source pixels that are read, and their weights, counted from the first of these; `None`
    /// where pixels are only copied.
    pub(super) fn plan(self) -> (Range<usize>, Option<Weights>) {
        if u64::from(self.source) == self.target {
            // As large as a picture, which fits.
            let first = self.first as usize;
            return (first..first + self.len as usize, None);
        }
        let (read, weights) = Weights::new(self);
        (read, Some(weights))
    }
}

/// The filter weights of the output pixels along one axis.
pub(super) struct Weights {
    /// For each output pixel, the first source pixel and the range of its weights in `values`.
    windows: Vec<(usize, Range<usize>)>,
    /// Fixed-point weights with [`PRECISION_BITS`] fractional bits.
    values: Vec<i32>,
}

impl Weights {
    /// The range of source pixels that have a weight, and the weights of these.
    fn new(axis: Axis) -> (Range<usize>, Self) {
        let scale = f64::from(axis.source) / axis.target as f64;
        // Only reducing widens the filter; enlarging interpolates between neighbours.
        let filter_scale = scale.max(1.0);
        let support = SUPPORT * filter_scale;
        let inverse = 1.0 / filter_scale;

        let mut windows = Vec::with_capacity(axis.len as usize);
        let mut values = Vec::new();
        let mut window = Vec::new();
        let mut read = axis.source as usize..0;
        for index in axis.first..axis.first + u64::from(axis.len) {
            let center = (index as f64 + 0.5) * scale;
            // Float to integer casts saturate: below zero becomes zero.
            let first = (center - support + 0.5) as usize;
            let last = ((center + support + 0.5) as usize).min(axis.source as usize);
            window.clear();
            window.extend((first..last).map(|x| bicubic((x as f64 - center + 0.5) * inverse)));
            let sum: f64 = window.iter().sum();
            let start = values.len();
            values.extend(window.iter().map(|&weight| {
                let normalised = if sum == 0.0 { weight } else { weight / sum };
                (normalised * f64::from(1 << PRECISION_BITS)).round() as i32
            }));
            windows.push((first, start..values.len()));
            read = read.start.min(first)..read.end.max(last);
        }
        for (first, _) in &mut windows {
            *first -= read.start;
        }
        (read, Self { windows, values })
    }

    /// How many output pixels there are.
    pub(super) fn len(&self) -> usize {
        self.windows.len()
    }

    /// The first source pixel and the weights of each output pixel.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
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
