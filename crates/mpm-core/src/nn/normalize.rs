//! Directions without lengths.

use burn::tensor::{DType, Tensor, backend::Backend};

/// The least norm that [`normalize_rows`] divides by, PyTorch's: zeros stay zeros.
const LEAST_NORM: f64 = 1e-12;

/// Scales each row to length 1, in f32 whatever the dtype.
///
/// # Shapes
/// - rows, output: `[count, width]`
pub fn normalize_rows<B: Backend>(rows: Tensor<B, 2>) -> Tensor<B, 2> {
    let rows = rows.cast(DType::F32);
    let norms = rows.clone().square().sum_dim(1).sqrt();
    rows / norms.clamp_min(LEAST_NORM)
}
