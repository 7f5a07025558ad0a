//! Swapping two dimensions.

use burn::tensor::Tensor;

use super::{MpmBackend, from_primitive};

/// Swaps rows and columns, and brings the elements into the new order.
///
/// # Shapes
/// - x: `[batch, rows, columns]`
/// - output: `[batch, columns, rows]`
pub fn transposed<B: MpmBackend>(x: Tensor<B, 3>) -> Tensor<B, 3> {
    let [batch, rows, columns] = x.dims();
    swapped(x.reshape([batch, rows, columns, 1])).reshape([batch, columns, rows])
}

/// Swaps rows and columns of vectors, and brings these into the new order.
///
/// Burn's `swap_dims` leaves the elements where they are, for the next operation to copy them;
/// on the CPU this is several times as fast as that copy, and so is its gradient.
///
/// # Shapes
/// - x: `[batch, rows, columns, width]`
/// - output: `[batch, columns, rows, width]`
pub fn swapped<B: MpmBackend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    from_primitive(B::swapped_4d(x.into_primitive().tensor()))
}
