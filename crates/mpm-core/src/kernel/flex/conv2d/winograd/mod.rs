//! Convolution with kernels of 3 × 3 by Winograd's method F(4 × 4, 3 × 3) (Lavin and Gray
//! 2016, "Fast Algorithms for Convolutional Neural Networks"): 36 multiplications for 16
//! outputs instead of 144.
//!
//! Tiles of the input and kernels are transformed to values at 36 points; at each point
//! the sum over the channels is a matrix product. The gradient of the kernels is the same
//! backwards, with a sum over the tiles.

mod backward;
mod forward;
mod stack;
mod tiles;
mod tiling;
mod transform;

use super::{super::lines::LINE, geometry::Geometry};
use transform::{KERNEL, OUT};

pub(super) use backward::weights;
pub(super) use forward::conv2d;

/// Below so many tiles, transforming the kernels takes longer than it saves.
const TILES_MIN: usize = 16;

/// Channels of the input, and of the output, whose products are computed at a time: their
/// kernels take 0.6 MB and the products of a part 1.2 MB, within the second-level cache.
const CHANNELS: usize = 64;

/// Whether [`conv2d`] and [`weights`] can compute this convolution, and faster than a plain
/// matrix product.
pub(super) fn suits(geometry: &Geometry) -> bool {
    let [height, width] = geometry.output;
    let tiles = geometry.batch * height.div_ceil(OUT) * width.div_ceil(OUT);
    geometry.kernel == [KERNEL; 2]
        && geometry.stride == 1
        && tiles >= TILES_MIN
        && geometry.c_in >= LINE
}
