//! Convolution with kernels of 3 × 3 by Winograd's method F(4 × 4, 3 × 3) (Lavin and Gray
//! 2016, "Fast Algorithms for Convolutional Neural Networks"): 36 multiplications for 16
//! outputs instead of 144.
//!
//! Tiles of the input and kernels are transformed to values at 36 points; at each point
//! the sum over the channels is a matrix product.

mod tiles;
mod transform;

use rayon::prelude::*;
use std::ops::Range;

use super::{
    super::{
        gemm::{Target, multiply},
        lines::{Deinterleave, Interleave, LINE},
        math::dispatch,
        number::Number,
        planes::{Cut, fill_in_rounds},
        scratch::Scratch,
    },
    geometry::Geometry,
};
use tiles::{Input, Kernels, Output, Stack};
use transform::{IN, KERNEL, OUT};

/// Products per tile: the values at these points determine its outputs.
const POINTS: usize = IN * IN;

/// Below so many tiles, transforming the kernels takes longer than it saves.
const TILES_MIN: usize = 16;

/// Tiles of the input per block.
const TILES: usize = 128;

/// Channels of the input, and of the output, whose products are computed at a time: their
/// kernels take 0.6 MB and the products of a block 1.2 MB, within the second-level cache.
const CHANNELS: usize = 64;

/// Values of transformed inputs that are held at a time for each thread (6 MiB), or somewhat
/// more: enough for each to have several blocks of the output.
const HELD: usize = 3 * 512 * 1024;

/// Whether [`conv2d`] can compute this convolution, and faster than a plain matrix product.
pub(super) fn suits(geometry: &Geometry) -> bool {
    let [height, width] = geometry.output;
    let tiles = geometry.batch * height.div_ceil(OUT) * width.div_ceil(OUT);
    geometry.kernel == [KERNEL; 2]
        && geometry.stride == 1
        && tiles >= TILES_MIN
        && geometry.c_in >= LINE
}

pub(super) fn conv2d<T: Number>(
    x: &[T],
    weights: &[T],
    bias: &[f32],
    geometry: &Geometry,
) -> Vec<T> {
    let winograd = Winograd::new(geometry);
    let slab = winograd.input.len();
    let chunks = geometry.c_in.div_ceil(CHANNELS);
    let per_round = (HELD * rayon::current_num_threads()).div_ceil(slab * chunks);
    fill_in_rounds(
        winograd.cut,
        per_round,
        |parts| {
            let mut inputs = Scratch::new(parts.len() * chunks * slab);
            let slabs = inputs.par_chunks_exact_mut(slab).enumerate();
            slabs.for_each(|(i, slab)| {
                let (part, chunk) = (parts.start + i / chunks, i % chunks);
                winograd.transform_input(x, part, chunk, slab);
            });
            inputs
        },
        |inputs, block, bands| {
            let first = block[0] % per_round * chunks * slab;
            let inputs = &inputs[first..][..chunks * slab];
            let products = winograd.products(inputs, weights, block);
            winograd.transform_output(&products, bias, block, bands);
        },
    )
}

struct Winograd<'a> {
    geometry: &'a Geometry,
    /// Blocks of the output, whose bands are whole rows of tiles.
    cut: Cut,
    /// Tiles in a row.
    across: usize,
    /// Transformed inputs: tiles × channels.
    input: Stack,
    /// Transformed kernels: channels × output channels.
    kernels: Stack,
    /// Products: tiles × output channels.
    products: Stack,
}

impl<'a> Winograd<'a> {
    fn new(geometry: &'a Geometry) -> Self {
        let [height, width] = geometry.output;
        let across = width.div_ceil(OUT);
        let shape = [geometry.batch, geometry.c_out, height, width];
        let channels = geometry.c_out.min(CHANNELS);
        let cut = Cut {
            channels_per_part: channels,
            ..Cut::new(shape, OUT, TILES * OUT * OUT)
        };
        let rows = cut.rows_per_part / OUT;
        let tiles = cut.pictures_per_part * rows * across;
        Self {
            geometry,
            cut,
            across,
            input: Stack::new(tiles, geometry.c_in.min(CHANNELS)),
            kernels: Stack::new(geometry.c_in.min(CHANNELS), channels),
            products: Stack::new(tiles, channels),
        }
    }

    /// The rows of tiles of a part.
    fn rows(&self, part: usize) -> Range<usize> {
        let rows = self.cut.rows(part);
        rows.start / OUT..rows.end.div_ceil(OUT)
    }

    /// Writes the transformed inputs of a part, for one of the chunks of channels.
    fn transform_input<T: Number>(&self, x: &[T], part: usize, chunk: usize, slab: &mut [f32]) {
        let Geometry {
            c_in,
            input: [height, width],
            padding,
            ..
        } = *self.geometry;
        let rows = self.rows(part);
        let line_width = self.across * OUT + IN - OUT;
        let lines = (rows.len() * OUT + IN - OUT) * line_width;
        let mut pixels = Scratch::new(lines * LINE);
        // what is around the picture stays zero
        pixels.fill(0.0);
        let pixels = pixels.as_chunks_mut().0;
        let mut buffer = Vec::new();
        let channels = chunk * CHANNELS..c_in.min((chunk + 1) * CHANNELS);
        for channel in channels.clone().step_by(LINE) {
            let count = LINE.min(channels.end - channel);
            for (i, picture) in self.cut.pictures(part).enumerate() {
                let picture = &x[(picture * c_in + channel) * height * width..];
                for (row, lines) in pixels.chunks_mut(line_width).enumerate() {
                    let row = (rows.start * OUT + row).checked_sub(padding);
                    let Some(row) = row.filter(|&row| row < height) else {
                        continue;
                    };
                    let source = &picture[row * width..];
                    let source = T::rows(source, height * width, count, width, &mut buffer);
                    dispatch(Interleave {
                        rows: source.data,
                        stride: source.stride,
                        count,
                        lines: &mut lines[padding..padding + width],
                    });
                }
                for row in 0..rows.len() {
                    let tile = (i * rows.len() + row) * self.across;
                    dispatch(Input {
                        pixels: &pixels[row * OUT * line_width..][..IN * line_width],
                        width: line_width,
                        stack: self.input,
                        place: tile * self.input.columns + channel - channels.start,
                        output: slab,
                    });
                }
            }
        }
    }

    /// Writes the transformed kernels between two ranges of channels.
    fn transform_kernels<T: Number>(
        &self,
        weights: &[T],
        inputs: Range<usize>,
        outputs: Range<usize>,
        kernels: &mut [f32],
    ) {
        const TAPS: usize = KERNEL * KERNEL;
        let c_in = self.geometry.c_in;
        let mut lines = Scratch::new(inputs.len() * TAPS * LINE);
        let lines = lines.as_chunks_mut().0;
        let mut buffer = Vec::new();
        for output in outputs.clone().step_by(LINE) {
            let count = LINE.min(outputs.end - output);
            let source = &weights[(output * c_in + inputs.start) * TAPS..];
            let rows = T::rows(source, c_in * TAPS, count, lines.len(), &mut buffer);
            dispatch(Interleave {
                rows: rows.data,
                stride: rows.stride,
                count,
                lines: &mut *lines,
            });
            dispatch(Kernels {
                kernels: lines.as_chunks().0,
                stack: self.kernels,
                place: output - outputs.start,
                output: &mut *kernels,
            });
        }
    }

    /// Sums the products of transformed inputs and kernels over the channels.
    fn products<T: Number>(
        &self,
        inputs: &[f32],
        weights: &[T],
        [part, channel_part]: [usize; 2],
    ) -> Scratch {
        let tiles = self.cut.pictures(part).len() * self.rows(part).len() * self.across;
        let outputs = self.cut.channels(channel_part);
        let mut products = Scratch::new(self.products.len());
        let mut kernels = Scratch::new(self.kernels.len());
        for (chunk, input) in inputs.chunks(self.input.len()).enumerate() {
            let first = chunk * CHANNELS;
            let channels = first..self.geometry.c_in.min(first + CHANNELS);
            let count = channels.len();
            self.transform_kernels(weights, channels, outputs.clone(), &mut kernels);
            for point in 0..POINTS {
                let left = self.input.matrix(input, point, tiles, count);
                let right = self.kernels.matrix(&kernels, point, count, outputs.len());
                let target = Target {
                    data: &mut products[point * self.products.stride()..],
                    stride: self.products.columns,
                    accumulate: chunk > 0,
                };
                multiply(target, left, right, 1.0);
            }
        }
        products
    }

    /// Writes the bands of a block.
    fn transform_output<T: Number>(
        &self,
        products: &[f32],
        bias: &[f32],
        [part, channel_part]: [usize; 2],
        bands: &mut [&mut [T]],
    ) {
        let width = self.geometry.output[1];
        let outputs = self.cut.channels(channel_part);
        let rows = self.rows(part).len();
        let line_width = self.across * OUT;
        let mut lines = Scratch::new(OUT * line_width * LINE);
        let lines = lines.as_chunks_mut().0;
        let mut values = Scratch::new(LINE * width);
        for first in (0..outputs.len()).step_by(LINE) {
            let count = LINE.min(outputs.len() - first);
            let mut bias_line = [0.0; LINE];
            bias_line[..count].copy_from_slice(&bias[outputs.start + first..][..count]);
            for (i, bands) in bands.chunks_mut(outputs.len()).enumerate() {
                for row in 0..rows {
                    dispatch(Output {
                        products,
                        stack: self.products,
                        place: (i * rows + row) * self.across * self.products.columns + first,
                        bias: &bias_line,
                        pixels: &mut *lines,
                        width: line_width,
                    });
                    for (row, lines) in (row * OUT..).zip(lines.chunks(line_width)) {
                        if row * width >= bands[0].len() {
                            break;
                        }
                        let values = &mut values[..count * width];
                        dispatch(Deinterleave {
                            lines,
                            rows: &mut *values,
                            stride: width,
                        });
                        let bands = bands[first..].iter_mut();
                        for (band, values) in bands.zip(values.chunks(width)) {
                            T::narrow(values, &mut band[row * width..][..width]);
                        }
                    }
                }
            }
        }
    }
}
