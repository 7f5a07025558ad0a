//! Swapping rows and columns.

use burn::tensor::Tensor;

use super::{MpmBackend, from_primitive};

/// Swaps rows and columns, and brings the elements into the new order.
///
/// Burn's `swap_dims` leaves the elements where they are, for the next operation to copy them;
/// on the CPU this is several times as fast as that copy.
///
/// # Shapes
/// - x: `[batch, rows, columns]`
/// - output: `[batch, columns, rows]`
pub fn transposed<B: MpmBackend>(x: Tensor<B, 3>) -> Tensor<B, 3> {
    from_primitive(B::transposed_3d(x.into_primitive().tensor()))
}
