//! How alike two embeddings are.

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::nn::normalize_rows;

/// The cosine of the angle between each row of one and each row of the other, in f32. Zeros are
/// like nothing.
///
/// # Shapes
/// - left: `[rows, width]`
/// - right: `[columns, width]`
/// - output: `[rows, columns]`
pub fn cosine_similarity<B: Backend>(left: Tensor<B, 2>, right: Tensor<B, 2>) -> Tensor<B, 2> {
    normalize_rows(left).matmul(normalize_rows(right).transpose())
}
