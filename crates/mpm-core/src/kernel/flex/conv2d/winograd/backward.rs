//! The gradient of the kernels.

use rayon::prelude::*;
use std::marker::PhantomData;

use super::{
    super::{
        super::{
            gemm::multiply,
            lines::{Deinterleave, LINE},
            math::dispatch,
            number::Number,
            planes::{Cut, fill_blocks},
            scratch::Scratch,
        },
        geometry::Geometry,
    },
    CHANNELS,
    lines::{FromPoints, Place},
    stack::Stack,
    tiling::{Source, Tiling},
    transform::{IN, Input, KERNEL, KernelGrad, OUT, OutputGrad, Transform},
};

/// Values of transformed inputs and gradients that are held at most (256 MiB).
const HELD: usize = 64 * 1024 * 1024;

const TAPS: usize = KERNEL * KERNEL;

/// The gradient of the kernels, from the input and the gradient of the output; `None` where it
/// would take too much memory.
pub(in super::super) fn weights<T: Number>(
    x: &[T],
    grad: &[T],
    geometry: &Geometry,
) -> Option<Vec<T>> {
    let tiling = Tiling::new(geometry);
    let x = Source {
        data: x,
        channels: geometry.c_in,
        size: geometry.input,
        padding: geometry.padding,
    };
    let grad = Source {
        data: grad,
        channels: geometry.c_out,
        size: geometry.output,
        padding: 0,
    };
    let values = [&x, &grad].map(|source| {
        let stack = Stack::new(tiling.most_tiles(), source.channels.min(CHANNELS));
        let chunks = source.channels.div_ceil(CHANNELS);
        (stack, chunks, tiling.cut.parts() * chunks * stack.len())
    });
    let [(_, inputs, x_len), (_, outputs, grad_len)] = values;
    let kernels = Stack::new(CHANNELS.min(geometry.c_out), CHANNELS.min(geometry.c_in));
    if x_len + grad_len + inputs * outputs * kernels.len() > HELD {
        return None;
    }
    let x_points = to_points::<T, Input, IN>(&tiling, &x, values[0].0);
    let grad_points = to_points::<T, OutputGrad, OUT>(&tiling, &grad, values[1].0);

    let channels = |chunk: usize, all: usize| CHANNELS.min(all - chunk * CHANNELS);
    let mut products = Scratch::new(inputs * outputs * kernels.len());
    // points of a block of channels are apart by a line that nobody writes
    let matrices = products.par_chunks_exact_mut(kernels.stride()).enumerate();
    let points = kernels.len() / kernels.stride();
    matrices.for_each(|(i, target)| {
        let (block, point) = (i / points, i % points);
        let (input, output) = (block % inputs, block / inputs);
        let (rows, columns) = (
            channels(output, geometry.c_out),
            channels(input, geometry.c_in),
        );
        for part in 0..tiling.cut.parts() {
            let tiles = tiling.tiles(part);
            let left = &grad_points[(part * outputs + output) * values[1].0.len()..];
            let left = values[1].0.matrix(left, point, tiles, rows);
            let right = &x_points[(part * inputs + input) * values[0].0.len()..];
            let right = values[0].0.matrix(right, point, tiles, columns);
            let target = kernels.target(&mut *target, part > 0);
            multiply(target, left.transposed(), right, 1.0);
        }
    });

    let cut = Cut {
        pictures: 1,
        channels: geometry.c_out,
        height: geometry.c_in,
        width: TAPS,
        pictures_per_part: 1,
        rows_per_part: CHANNELS,
        channels_per_part: CHANNELS,
    };
    Some(fill_blocks(cut, |[input, output], bands| {
        let points = &products[(output * inputs + input) * kernels.len()..][..kernels.len()];
        write_kernels(points, kernels, cut.rows(input).len(), bands);
    }))
}

/// The values at the points of all tiles, part by part and chunk by chunk of channels.
fn to_points<N: Number, T: Transform<SIDE, IN>, const SIDE: usize>(
    tiling: &Tiling,
    source: &Source<'_, N>,
    stack: Stack,
) -> Scratch {
    let chunks = source.channels.div_ceil(CHANNELS);
    let mut points = Scratch::new(tiling.cut.parts() * chunks * stack.len());
    let slabs = points.par_chunks_exact_mut(stack.len()).enumerate();
    slabs.for_each(|(i, slab)| {
        tiling.write_points::<N, T, SIDE>(source, [i / chunks, i % chunks], stack, slab);
    });
    points
}

/// Writes kernels: a band of so many inputs for each output.
fn write_kernels<T: Number>(points: &[f32], stack: Stack, inputs: usize, bands: &mut [&mut [T]]) {
    let mut lines = Scratch::new(bands.len() * TAPS * LINE);
    let lines = lines.as_chunks_mut().0;
    let mut values = [0.0; LINE * TAPS];
    for first in (0..inputs).step_by(LINE) {
        dispatch(FromPoints {
            points,
            stack,
            bias: &[0.0; LINE],
            lines: &mut *lines,
            place: Place {
                tiles: bands.len(),
                step: TAPS,
                width: KERNEL,
                start: first,
            },
            transform: PhantomData::<KernelGrad>,
        });
        let values = &mut values[..LINE.min(inputs - first) * TAPS];
        for (band, lines) in bands.iter_mut().zip(lines.chunks_exact(TAPS)) {
            dispatch(Deinterleave {
                lines,
                rows: &mut *values,
                stride: TAPS,
            });
            T::narrow(values, &mut band[first * TAPS..][..values.len()]);
        }
    }
}
