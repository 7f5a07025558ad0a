//! How alike two embeddings are.

use burn::tensor::{DType, Tensor, backend::Backend};

/// The least norm that is divided by, PyTorch's: an embedding of zeros is like no other.
const EPSILON: f64 = 1e-12;

/// Scales each row to length 1, in f32 whatever the dtype.
///
/// # Shapes
/// - embeds, output: `[count, width]`
pub fn normalize<B: Backend>(embeds: Tensor<B, 2>) -> Tensor<B, 2> {
    let embeds = embeds.cast(DType::F32);
    let norms = embeds.clone().square().sum_dim(1).sqrt();
    embeds / norms.clamp_min(EPSILON)
}

/// The cosine of the angle between each row of one and each row of the other, in f32.
///
/// # Shapes
/// - left: `[rows, width]`
/// - right: `[columns, width]`
/// - output: `[rows, columns]`
pub fn cosine_similarity<B: Backend>(left: Tensor<B, 2>, right: Tensor<B, 2>) -> Tensor<B, 2> {
    normalize(left).matmul(normalize(right).transpose())
}
