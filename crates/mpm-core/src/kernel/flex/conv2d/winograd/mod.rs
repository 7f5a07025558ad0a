//! Convolution with kernels of 3 × 3 by Winograd's method F(4 × 4, 3 × 3) (Lavin and Gray
//! 2016, "Fast Algorithms for Convolutional Neural Networks"): 36 multiplications for 16
//! outputs instead of 144.
//!
//! Tiles of the input and kernels are transformed to values at 36 points; at each point
//! the sum over the channels is a matrix product.

mod tiles;
mod transform;

use std::ops::Range;

use super::{
    super::{
        gemm::{Target, multiply},
        lines::{Deinterleave, Interleave, LINE, Line},
        math::dispatch,
        number::Number,
        output::fill_one,
        planes::{Cut, fill_blocks},
    },
    geometry::Geometry,
};
use tiles::{Input, Kernels, Output, Stack};
use transform::{IN, KERNEL, OUT};

/// Products per tile: the values at these points determine its outputs.
const POINTS: usize = IN * IN;

/// Tiles of the input per block.
const TILES: usize = 128;

/// Channels of the input, and of the output, whose products are computed at a time: their
/// kernels take 0.6 MB and the products of a block 1.2 MB, within the second-level cache.
const CHANNELS: usize = 64;

/// Values of transformed inputs that are held at a time (32 MiB).
const HELD: usize = 8 * 1024 * 1024;

/// Whether [`conv2d`] can compute this convolution, and faster than a plain matrix product.
pub(super) fn suits(geometry: &Geometry) -> bool {
    let [height, width] = geometry.output;
    let tiles = geometry.batch * height.div_ceil(OUT) * width.div_ceil(OUT);
    geometry.kernel == [KERNEL; 2] && geometry.stride == 1 && tiles >= 16
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
    let per_round = (HELD / (slab * chunks)).max(1);
    fill_blocks(
        winograd.cut,
        per_round,
        |parts| {
            fill_one(parts.len() * chunks * slab, slab, |task, slab| {
                let part = parts.start + task / chunks;
                winograd.transform_input(x, part, task % chunks, slab);
            })
        },
        |inputs: &Vec<f32>, block, bands, scratch: &mut Scratch| {
            let first = block[0] % per_round * chunks * slab;
            let inputs = &inputs[first..][..chunks * slab];
            winograd.products(inputs, weights, block, scratch);
            winograd.transform_output(bias, block, scratch, bands);
        },
    )
}

/// Buffers of a task, kept from block to block.
#[derive(Default)]
struct Scratch {
    rows: Vec<f32>,
    lines: Vec<Line>,
    kernels: Vec<f32>,
    products: Vec<f32>,
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
        // what is around the picture stays zero
        let mut pixels = vec![[0.0; LINE]; (rows.len() * OUT + IN - OUT) * line_width];
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
        scratch: &mut Scratch,
    ) {
        const TAPS: usize = KERNEL * KERNEL;
        let c_in = self.geometry.c_in;
        scratch.kernels.resize(self.kernels.len(), 0.0);
        scratch.lines.resize(inputs.len() * TAPS, [0.0; LINE]);
        let lines = &mut scratch.lines[..inputs.len() * TAPS];
        for output in outputs.clone().step_by(LINE) {
            let count = LINE.min(outputs.end - output);
            let source = &weights[(output * c_in + inputs.start) * TAPS..];
            let rows = T::rows(source, c_in * TAPS, count, lines.len(), &mut scratch.rows);
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
                output: &mut scratch.kernels,
            });
        }
    }

    /// Sums the products of transformed inputs and kernels over the channels.
    fn products<T: Number>(
        &self,
        inputs: &[f32],
        weights: &[T],
        [part, channel_part]: [usize; 2],
        scratch: &mut Scratch,
    ) {
        let tiles = self.cut.pictures(part).len() * self.rows(part).len() * self.across;
        let outputs = self.cut.channels(channel_part);
        scratch.products.resize(self.products.len(), 0.0);
        for (chunk, input) in inputs.chunks(self.input.len()).enumerate() {
            let first = chunk * CHANNELS;
            let channels = first..self.geometry.c_in.min(first + CHANNELS);
            let count = channels.len();
            self.transform_kernels(weights, channels, outputs.clone(), scratch);
            for point in 0..POINTS {
                let input = self.input.matrix(input, point, tiles, count);
                let kernels = self
                    .kernels
                    .matrix(&scratch.kernels, point, count, outputs.len());
                let target = Target {
                    data: &mut scratch.products[point * self.products.stride()..],
                    stride: self.products.columns,
                    accumulate: chunk > 0,
                };
                multiply(target, input, kernels, 1.0);
            }
        }
    }

    /// Writes the bands of a block.
    fn transform_output<T: Number>(
        &self,
        bias: &[f32],
        [part, channel_part]: [usize; 2],
        scratch: &mut Scratch,
        bands: &mut [&mut [T]],
    ) {
        let width = self.geometry.output[1];
        let outputs = self.cut.channels(channel_part);
        let rows = self.rows(part).len();
        let line_width = self.across * OUT;
        scratch.lines.resize(OUT * line_width, [0.0; LINE]);
        let lines = &mut scratch.lines[..OUT * line_width];
        scratch.rows.resize(LINE * width, 0.0);
        for first in (0..outputs.len()).step_by(LINE) {
            let count = LINE.min(outputs.len() - first);
            let mut bias_line = [0.0; LINE];
            bias_line[..count].copy_from_slice(&bias[outputs.start + first..][..count]);
            for (i, bands) in bands.chunks_mut(outputs.len()).enumerate() {
                for row in 0..rows {
                    dispatch(Output {
                        products: &scratch.products,
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
                        let values = &mut scratch.rows[..count * width];
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
