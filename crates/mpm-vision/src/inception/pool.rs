//! Pooling over 3 x 3.

use burn::tensor::{
    Tensor,
    backend::Backend,
    module::{avg_pool2d, max_pool2d},
};

/// The mean over 3 x 3; at the border, of what lies within the picture.
///
/// # Shapes
/// - x, output: `[batch, channels, height, width]`
pub(super) fn mean<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    avg_pool2d(x, [3, 3], [1, 1], [1, 1], false, false)
}

/// The largest of 3 x 3.
///
/// # Shapes
/// - x, output: `[batch, channels, height, width]`
pub(super) fn largest<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    max_pool2d(x, [3, 3], [1, 1], [1, 1], [1, 1], false)
}

/// The largest of 3 x 3, at every second place.
///
/// # Shapes
/// - x: `[batch, channels, height, width]`
/// - output: `[batch, channels, (height - 1) / 2, (width - 1) / 2]`
pub(super) fn halved<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    max_pool2d(x, [3, 3], [2, 2], [0, 0], [1, 1], false)
}
