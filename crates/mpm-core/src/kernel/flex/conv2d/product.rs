//! Convolution as a product of the matrix of kernels with columns of pixels.

use super::{
    super::{
        gemm::{Matrix, Target, multiply},
        number::Number,
        planes::{Cut, fill_blocks},
        scratch::Scratch,
    },
    columns::Pixels,
    geometry::Geometry,
};

/// Pixels of the output per block.
const PIXELS: usize = 256;

/// Values of columns that are held at a time: 0.5 MiB, within the second-level cache.
const HELD: usize = 128 * 1024;

/// Blocks per thread: channels of the output are split where there are fewer.
const BLOCKS: usize = 2;

/// Channels of the output per block, at least, if they are split: fewer would not be worth the
/// columns, which each block makes for itself.
const CHANNELS: usize = 96;

pub(super) fn conv2d<T: Number>(
    x: &[T],
    weights: &[T],
    bias: &[f32],
    geometry: &Geometry,
) -> Vec<T> {
    let cut = cut(geometry);
    let taps = geometry.taps();
    let depth = geometry.c_in * taps;
    fill_blocks(cut, |[part, channel_part], bands| {
        let outputs = cut.channels(channel_part);
        let pixels = Pixels {
            geometry,
            pictures: cut.pictures(part),
            rows: cut.rows(part),
        };
        let count = pixels.len();
        let per_chunk = (HELD / (count * taps)).clamp(1, geometry.c_in);
        let mut column_values = Scratch::new(per_chunk * taps * count);
        let mut products = Scratch::new(outputs.len() * count);
        let mut buffer = Vec::new();
        for start in (0..geometry.c_in).step_by(per_chunk) {
            let channels = start..geometry.c_in.min(start + per_chunk);
            let rows = channels.len() * taps;
            let columns = pixels.columns(x, channels, &mut column_values);
            let source = &weights[outputs.start * depth + start * taps..];
            let weights = T::rows(source, depth, outputs.len(), rows, &mut buffer);
            let target = Target {
                data: &mut products,
                stride: count,
                accumulate: start > 0,
            };
            let weights = Matrix::new(weights, outputs.len(), rows);
            multiply(target, weights, Matrix::new(columns, rows, count), 1.0);
        }
        let per_picture = count / pixels.pictures.len();
        let products = products.chunks_exact_mut(count);
        for (i, (products, bias)) in products.zip(&bias[outputs.clone()]).enumerate() {
            products.iter_mut().for_each(|x| *x += bias);
            let bands = bands[i..].iter_mut().step_by(outputs.len());
            for (band, products) in bands.zip(products.chunks(per_picture)) {
                T::narrow(products, band);
            }
        }
    })
}

fn cut(geometry: &Geometry) -> Cut {
    let [height, width] = geometry.output;
    let shape = [geometry.batch, geometry.c_out, height, width];
    let cut = Cut::new(shape, 1, PIXELS);
    let wanted = BLOCKS * rayon::current_num_threads();
    let most = (geometry.c_out / CHANNELS).max(1);
    let channel_parts = wanted.div_ceil(cut.parts()).min(most);
    Cut {
        channels_per_part: geometry.c_out.div_ceil(channel_parts),
        ..cut
    }
}
