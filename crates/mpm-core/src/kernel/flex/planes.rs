//! Pictures that tasks fill in parallel, block by block.

use std::{mem::take, ops::Range};

use bytemuck::Zeroable;
use rayon::prelude::*;

use super::output::zeroed;

/// How `[pictures, channels, height, width]` is cut into blocks: one for each part of the
/// pictures and each part of the channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cut {
    pub pictures: usize,
    pub channels: usize,
    pub height: usize,
    pub width: usize,
    /// Where it is more than one, parts have all rows.
    pub pictures_per_part: usize,
    pub rows_per_part: usize,
    pub channels_per_part: usize,
}

impl Cut {
    /// Cuts pictures, not channels, into parts of about so many pixels: a multiple of `unit`
    /// rows of one picture, or several pictures.
    pub fn new(shape: [usize; 4], unit: usize, pixels: usize) -> Self {
        let [pictures, channels, height, width] = shape;
        let units = height.div_ceil(unit);
        let units_per_part = even_part(units, pixels / (unit * width).max(1));
        let pictures_per_part = if units_per_part == units {
            even_part(pictures, pixels / (height * width).max(1))
        } else {
            1
        };
        Self {
            pictures,
            channels,
            height,
            width,
            pictures_per_part,
            rows_per_part: unit * units_per_part,
            channels_per_part: channels,
        }
    }

    fn bands(&self) -> usize {
        self.height.div_ceil(self.rows_per_part)
    }

    /// The number of parts of the pictures.
    pub fn parts(&self) -> usize {
        self.pictures.div_ceil(self.pictures_per_part) * self.bands()
    }

    /// The pictures of a part.
    pub fn pictures(&self, part: usize) -> Range<usize> {
        range(part / self.bands(), self.pictures_per_part, self.pictures)
    }

    /// The rows of a part.
    pub fn rows(&self, part: usize) -> Range<usize> {
        range(part % self.bands(), self.rows_per_part, self.height)
    }

    /// The number of parts of the channels.
    pub fn channel_parts(&self) -> usize {
        self.channels.div_ceil(self.channels_per_part)
    }

    /// The channels of a part of them.
    pub fn channels(&self, channel_part: usize) -> Range<usize> {
        range(channel_part, self.channels_per_part, self.channels)
    }
}

/// The `index`-th of the parts of `len`, of which all but the last have `size`.
fn range(index: usize, size: usize, len: usize) -> Range<usize> {
    index * size..len.min((index + 1) * size)
}

/// The size of parts that divide `len` as evenly as possible, at most `most` or 1.
fn even_part(len: usize, most: usize) -> usize {
    let parts = len.div_ceil(most.max(1)).max(1);
    len.div_ceil(parts).max(1)
}

/// Makes pictures that tasks fill in parallel.
///
/// A task gets the numbers of its part of the pictures and of its part of the channels, and
/// its bands as zeros: channel by channel, picture by picture.
pub(super) fn fill_blocks<T: Zeroable + Send>(
    cut: Cut,
    task: impl Fn([usize; 2], &mut [&mut [T]]) + Sync,
) -> Vec<T> {
    fill_in_rounds(
        cut,
        cut.parts(),
        |_| (),
        |(), block, bands| task(block, bands),
    )
}

/// The same, `per_round` parts at a time: `prepare` is called before each round, with its
/// parts, and makes what its tasks share.
pub(super) fn fill_in_rounds<T: Zeroable + Send, P: Sync>(
    cut: Cut,
    per_round: usize,
    prepare: impl Fn(Range<usize>) -> P,
    task: impl Fn(&P, [usize; 2], &mut [&mut [T]]) + Sync,
) -> Vec<T> {
    let plane = cut.height * cut.width;
    let len = cut.pictures * cut.channels * plane;
    let mut output = Vec::with_capacity(len);
    if len == 0 {
        return output;
    }
    let channel_parts = cut.channel_parts();
    let mut blocks: Vec<_> = (0..cut.parts() * channel_parts)
        .map(|_| Vec::new())
        .collect();
    let planes = output.spare_capacity_mut()[..len].chunks_mut(plane);
    for (i, plane) in planes.enumerate() {
        let (picture, channel) = (i / cut.channels, i % cut.channels);
        let first = picture / cut.pictures_per_part * cut.bands();
        let bands = plane.chunks_mut(cut.rows_per_part * cut.width);
        for (band, memory) in bands.enumerate() {
            let block = (first + band) * channel_parts + channel / cut.channels_per_part;
            blocks[block].push(memory);
        }
    }
    for (round, blocks) in blocks.chunks_mut(per_round * channel_parts).enumerate() {
        let first = round * per_round;
        let shared = prepare(first..first + blocks.len() / channel_parts);
        blocks.par_iter_mut().enumerate().for_each(|(i, block)| {
            let mut bands: Vec<&mut [T]> = take(block).into_iter().map(zeroed).collect();
            let place = [first + i / channel_parts, i % channel_parts];
            task(&shared, place, &mut bands);
        });
    }
    // SAFETY: each of the `len` elements was in one block, and each block's task, none of
    // which panicked, began by initialising its own.
    unsafe { output.set_len(len) };
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_block_is_filled_by_its_task() {
        for (pictures_per_part, rows_per_part, channels_per_part) in
            [(1, 3, 5), (1, 2, 2), (2, 3, 3), (3, 3, 1), (1, 1, 5)]
        {
            let cut = Cut {
                pictures: 3,
                channels: 5,
                height: 3,
                width: 2,
                pictures_per_part,
                rows_per_part,
                channels_per_part,
            };
            for per_round in [1, 2, 100] {
                let output = fill_in_rounds(
                    cut,
                    per_round,
                    |parts| parts,
                    |parts, [part, channel_part], bands| {
                        assert!(parts.contains(&part));
                        let (pictures, channels) = (cut.pictures(part), cut.channels(channel_part));
                        assert_eq!(bands.len(), pictures.len() * channels.len());
                        let mut bands = bands.iter_mut();
                        for picture in pictures {
                            for (channel, band) in channels.clone().zip(&mut bands) {
                                let first = (picture * 5 + channel) * 6 + cut.rows(part).start * 2;
                                assert_eq!(band.len(), cut.rows(part).len() * 2);
                                for (i, x) in band.iter_mut().enumerate() {
                                    assert_eq!(*x, 0);
                                    *x = first + i;
                                }
                            }
                        }
                    },
                );
                assert_eq!(output, (0..90).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn parts_are_even() {
        let parts = |shape, unit, pixels| {
            let cut = Cut::new(shape, unit, pixels);
            [cut.pictures_per_part, cut.rows_per_part, cut.parts()]
        };
        assert_eq!(parts([2, 3, 64, 64], 4, 2048), [1, 32, 4]);
        assert_eq!(parts([1, 3, 36, 64], 4, 2048), [1, 20, 2]);
        assert_eq!(parts([9, 3, 8, 8], 4, 256), [3, 8, 3]);
        assert_eq!(parts([1, 3, 5, 1000], 1, 100), [1, 1, 5]);
    }
}
