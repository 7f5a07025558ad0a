//! The gradients of kernels and biases; that of the input is a convolution itself.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{
    super::{
        gemm::{Matrix, Target, multiply},
        math::{dispatch, sum},
        number::{Number, Rows},
        output::fill_one,
        planes::{Cut, fill_blocks},
        scratch::Scratch,
    },
    columns::Pixels,
    geometry::Geometry,
};

/// Channels of the input whose kernels get their gradients in one task.
const CHANNELS: usize = 16;

/// Pixels of the output whose columns are held at a time.
const PIXELS: usize = 1024;

/// Elements per parallel task: enough to outweigh the cost of handing it over.
const TASK: usize = 16 * 1024;

/// The gradient of the kernels.
pub(super) fn weights<T: Number>(x: &[T], grad: &[T], geometry: &Geometry) -> Vec<T> {
    let Geometry { c_in, c_out, .. } = *geometry;
    let taps = geometry.taps();
    let area = geometry.area_out();
    let [height, width] = geometry.output;
    let pixels = Cut::new([geometry.batch, c_out, height, width], 1, PIXELS);
    let cut = Cut {
        pictures: 1,
        channels: c_out,
        height: c_in,
        width: taps,
        pictures_per_part: 1,
        rows_per_part: CHANNELS,
        channels_per_part: c_out,
    };
    fill_blocks(cut, |[part, _], bands| {
        let channels = cut.rows(part);
        let rows = channels.len() * taps;
        let mut products = vec![0.0; c_out * rows];
        let mut buffer = Vec::new();
        for part in 0..pixels.parts() {
            let pixels = Pixels {
                geometry,
                pictures: pixels.pictures(part),
                rows: pixels.rows(part),
            };
            let mut values = Scratch::new(rows * pixels.len());
            let columns = pixels.columns(x, channels.clone(), &mut values);
            let per_picture = pixels.len() / pixels.pictures.len();
            for (i, picture) in pixels.pictures.clone().enumerate() {
                let first = picture * c_out * area + pixels.rows.start * width;
                let grad = &grad[first..];
                let grad = T::rows(grad, area, c_out, per_picture, &mut buffer);
                let target = Target {
                    data: &mut products,
                    stride: rows,
                    accumulate: true,
                };
                let grad = Matrix::new(grad, c_out, per_picture);
                let columns = Rows {
                    data: &columns.data[i * per_picture..],
                    ..columns
                };
                let columns = Matrix::new(columns, rows, per_picture);
                multiply(target, grad, columns.transposed(), 1.0);
            }
        }
        for (band, products) in bands.iter_mut().zip(products.chunks_exact(rows)) {
            T::narrow(products, band);
        }
    })
}

/// The gradient of the biases.
pub(super) fn bias<T: Number>(grad: &[T], [batch, channels, area]: [usize; 3]) -> Vec<T> {
    let per_task = TASK.div_ceil((batch * area).max(1));
    let sums = (0..channels).into_par_iter().with_min_len(per_task);
    let sums: Vec<f32> = sums
        .map_init(Vec::new, |buffer, channel| {
            let planes = (0..batch).map(|picture| {
                let plane = &grad[(picture * channels + channel) * area..][..area];
                dispatch(Sum(T::rows(plane, area, 1, area, buffer).data))
            });
            planes.sum()
        })
        .collect();
    let mut narrow = vec![T::zeroed(); channels];
    T::narrow(&sums, &mut narrow);
    narrow
}

struct Sum<'a>(&'a [f32]);

impl WithSimd for Sum<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f32 {
        sum(simd, self.0)
    }
}

/// The kernels with which the gradient of the output is convolved: turned by half a turn, with
/// inputs and outputs exchanged.
pub(super) fn turned<T: Number>(weights: &[T], geometry: &Geometry) -> Vec<T> {
    let Geometry { c_in, c_out, .. } = *geometry;
    let taps = geometry.taps();
    let mut turned = Vec::with_capacity(weights.len());
    for input in 0..c_in {
        for output in 0..c_out {
            let kernel = &weights[(output * c_in + input) * taps..][..taps];
            turned.extend(kernel.iter().rev());
        }
    }
    turned
}

/// The gradient of the output as the input of the convolution `back`: with zeros between its
/// rows and columns where the stride left pixels out.
pub(super) fn spread<T: Number>(grad: &[T], geometry: &Geometry, back: &Geometry) -> Vec<T> {
    let (width, stride) = (geometry.output[1], geometry.stride);
    let spread_width = back.input[1];
    fill_one(
        back.batch * back.c_in * back.area_in(),
        back.area_in(),
        |plane, output| {
            let area = geometry.area_out();
            let rows = grad[plane * area..][..area].chunks_exact(width);
            let outputs = output.chunks_exact_mut(spread_width).step_by(stride);
            for (output, row) in outputs.zip(rows) {
                for (output, &x) in output.iter_mut().step_by(stride).zip(row) {
                    *output = x;
                }
            }
        },
    )
}
