//! The convolution itself.

use rayon::prelude::*;
use std::{marker::PhantomData, ops::Range};

use super::{
    super::{
        super::{
            gemm::multiply,
            lines::{Deinterleave, Interleave, LINE},
            math::dispatch,
            number::Number,
            planes::fill_in_rounds,
            scratch::Scratch,
        },
        geometry::Geometry,
    },
    CHANNELS,
    stack::Stack,
    tiles::{FromPoints, Place, ToPoints},
    tiling::{Source, Tiling},
    transform::{IN, Input, KERNEL, Kernel, OUT, Output, POINTS},
};

/// Values of transformed inputs that are held at a time for each thread (6 MiB), or somewhat
/// more: enough for each to have several blocks of the output.
const HELD: usize = 3 * 512 * 1024;

const TAPS: usize = KERNEL * KERNEL;

pub(in super::super) fn conv2d<T: Number>(
    x: &[T],
    weights: &[T],
    bias: &[f32],
    geometry: &Geometry,
) -> Vec<T> {
    let tiling = Tiling::new(geometry);
    let outputs = tiling.cut.channels_per_part;
    let inputs = geometry.c_in.min(CHANNELS);
    let winograd = Winograd {
        geometry,
        tiling,
        input: Stack::new(tiling.most_tiles(), inputs),
        kernels: Stack::new(inputs, outputs),
        products: Stack::new(tiling.most_tiles(), outputs),
    };
    let source = Source {
        data: x,
        channels: geometry.c_in,
        size: geometry.input,
        padding: geometry.padding,
    };
    let slab = winograd.input.len();
    let chunks = geometry.c_in.div_ceil(CHANNELS);
    let per_round = (HELD * rayon::current_num_threads()).div_ceil(slab * chunks);
    fill_in_rounds(
        tiling.cut,
        per_round,
        |parts| {
            let mut inputs = Scratch::new(parts.len() * chunks * slab);
            let slabs = inputs.par_chunks_exact_mut(slab).enumerate();
            slabs.for_each(|(i, slab)| {
                let place = [parts.start + i / chunks, i % chunks];
                tiling.write_points::<T, Input, IN>(&source, place, winograd.input, slab);
            });
            inputs
        },
        |inputs, block, bands| {
            let first = block[0] % per_round * chunks * slab;
            let inputs = &inputs[first..][..chunks * slab];
            let products = winograd.products(inputs, weights, block);
            winograd.write_output(&products, bias, block, bands);
        },
    )
}

struct Winograd<'a> {
    geometry: &'a Geometry,
    tiling: Tiling,
    /// Transformed inputs: tiles × channels.
    input: Stack,
    /// Transformed kernels: channels × output channels.
    kernels: Stack,
    /// Products: tiles × output channels.
    products: Stack,
}

impl Winograd<'_> {
    /// Sums the products of transformed inputs and kernels over the channels.
    fn products<T: Number>(
        &self,
        inputs: &[f32],
        weights: &[T],
        [part, channel_part]: [usize; 2],
    ) -> Scratch {
        let tiles = self.tiling.tiles(part);
        let outputs = self.tiling.cut.channels(channel_part);
        let mut products = Scratch::new(self.products.len());
        let mut kernels = Scratch::new(self.kernels.len());
        for (chunk, input) in inputs.chunks(self.input.len()).enumerate() {
            let first = chunk * CHANNELS;
            let channels = first..self.geometry.c_in.min(first + CHANNELS);
            let count = channels.len();
            self.transform_kernels(weights, channels, outputs.clone(), &mut kernels);
            let targets = products.chunks_exact_mut(self.products.stride());
            for (point, target) in targets.enumerate().take(POINTS) {
                let left = self.input.matrix(input, point, tiles, count);
                let right = self.kernels.matrix(&kernels, point, count, outputs.len());
                multiply(self.products.target(target, chunk > 0), left, right, 1.0);
            }
        }
        products
    }

    /// Writes the transformed kernels between two ranges of channels.
    fn transform_kernels<T: Number>(
        &self,
        weights: &[T],
        inputs: Range<usize>,
        outputs: Range<usize>,
        kernels: &mut [f32],
    ) {
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
            dispatch(ToPoints {
                lines: &*lines,
                stack: self.kernels,
                points: &mut *kernels,
                place: Place {
                    tiles: inputs.len(),
                    step: TAPS,
                    width: KERNEL,
                    start: output - outputs.start,
                },
                transform: PhantomData::<Kernel>,
            });
        }
    }

    /// Writes the bands of a block.
    fn write_output<T: Number>(
        &self,
        products: &[f32],
        bias: &[f32],
        [part, channel_part]: [usize; 2],
        bands: &mut [&mut [T]],
    ) {
        let width = self.geometry.output[1];
        let outputs = self.tiling.cut.channels(channel_part);
        let line_width = self.tiling.across * OUT;
        let mut lines = Scratch::new(OUT * line_width * LINE);
        let lines = lines.as_chunks_mut().0;
        let mut values = Scratch::new(LINE * width);
        for first in (0..outputs.len()).step_by(LINE) {
            let count = LINE.min(outputs.len() - first);
            let mut bias_line = [0.0; LINE];
            bias_line[..count].copy_from_slice(&bias[outputs.start + first..][..count]);
            for (picture, bands) in bands.chunks_mut(outputs.len()).enumerate() {
                for row in 0..self.tiling.rows(part).len() {
                    let columns = self.products.columns;
                    let mut place = self.tiling.place(part, [picture, row], line_width, columns);
                    place.start += first;
                    dispatch(FromPoints {
                        points: products,
                        stack: self.products,
                        bias: &bias_line,
                        lines: &mut *lines,
                        place,
                        transform: PhantomData::<Output>,
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
