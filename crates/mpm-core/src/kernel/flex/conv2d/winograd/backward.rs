//! The gradient of the kernels.

use rayon::prelude::*;
use std::marker::PhantomData;

use super::{
    super::{
        super::{
            gemm::{Matrix, multiply},
            lines::{Deinterleave, LINE},
            math::dispatch,
            number::Number,
            planes::{Cut, fill_blocks},
            scratch::Scratch,
        },
        geometry::Geometry,
    },
    CHANNELS,
    stack::Stack,
    tiles::{FromPoints, Place},
    tiling::{Source, Tiling},
    transform::{IN, Input, KERNEL, KernelGrad, OUT, OutputGrad, POINTS, Transform},
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
    let (x, grad) = (Side::new(&tiling, x), Side::new(&tiling, grad));
    let kernels = Stack::new(CHANNELS.min(geometry.c_out), CHANNELS.min(geometry.c_in));
    let blocks = x.chunks * grad.chunks;
    if x.len() + grad.len() + blocks * kernels.len() > HELD {
        return None;
    }
    let x_points = x.to_points::<Input, IN>();
    let grad_points = grad.to_points::<OutputGrad, OUT>();
    let mut products = Scratch::new(blocks * kernels.len());
    let targets = products.par_chunks_exact_mut(kernels.stride()).enumerate();
    targets.for_each(|(i, target)| {
        let (block, point) = (i / POINTS, i % POINTS);
        let (output, input) = (block / x.chunks, block % x.chunks);
        for part in 0..tiling.cut.parts() {
            let left = grad
                .matrix(&grad_points, [part, output], point)
                .transposed();
            let right = x.matrix(&x_points, [part, input], point);
            multiply(kernels.target(target, part > 0), left, right, 1.0);
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
        let points = &products[(output * x.chunks + input) * kernels.len()..][..kernels.len()];
        write_kernels(points, kernels, cut.rows(input).len(), bands);
    }))
}

/// The input, or the gradient of the output.
struct Side<'a, T> {
    source: Source<'a, T>,
    tiling: &'a Tiling,
    /// Values at the points: tiles × channels, for each chunk of channels of each part.
    stack: Stack,
    chunks: usize,
}

impl<'a, T: Number> Side<'a, T> {
    fn new(tiling: &'a Tiling, source: Source<'a, T>) -> Self {
        Self {
            tiling,
            stack: Stack::new(tiling.most_tiles(), source.channels.min(CHANNELS)),
            chunks: source.channels.div_ceil(CHANNELS),
            source,
        }
    }

    /// The number of values of all parts.
    fn len(&self) -> usize {
        self.tiling.cut.parts() * self.chunks * self.stack.len()
    }

    fn to_points<M: Transform<SIDE, IN>, const SIDE: usize>(&self) -> Scratch {
        let mut points = Scratch::new(self.len());
        let slabs = points.par_chunks_exact_mut(self.stack.len()).enumerate();
        slabs.for_each(|(i, slab)| {
            let place = [i / self.chunks, i % self.chunks];
            self.tiling
                .write_points::<T, M, SIDE>(&self.source, place, self.stack, slab);
        });
        points
    }

    /// The values at one point: tiles × channels.
    fn matrix<'p>(&self, points: &'p [f32], [part, chunk]: [usize; 2], point: usize) -> Matrix<'p> {
        let slab = &points[(part * self.chunks + chunk) * self.stack.len()..];
        let channels = CHANNELS.min(self.source.channels - chunk * CHANNELS);
        self.stack
            .matrix(slab, point, self.tiling.tiles(part), channels)
    }
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
