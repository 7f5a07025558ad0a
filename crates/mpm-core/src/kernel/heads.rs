//! From tokens to the heads of attention, and back.

use burn::tensor::Tensor;

use super::{MpmBackend, swapped};

/// Gives each head its share of every token.
///
/// # Shapes
/// - x: `[batch, len, heads · dim_head]`
/// - output: `[batch, heads, len, dim_head]`
pub fn split_heads<B: MpmBackend>(x: Tensor<B, 3>, heads: usize) -> Tensor<B, 4> {
    let [batch, len, width] = x.dims();
    swapped(x.reshape([batch, len, heads, width / heads]))
}

/// Puts what the heads made of every token next to each other, the inverse of [`split_heads`].
///
/// # Shapes
/// - x: `[batch, heads, len, dim_head]`
/// - output: `[batch, len, heads · dim_head]`
pub fn merge_heads<B: MpmBackend>(x: Tensor<B, 4>) -> Tensor<B, 3> {
    let [batch, heads, len, dim_head] = x.dims();
    swapped(x).reshape([batch, len, heads * dim_head])
}
