//! Directions of embeddings, checked.

use burn::tensor::{DType, Tensor, backend::Backend};
use mpm_core::nn::normalize_rows;

use super::PictureMetricError;

pub(super) const PICTURES: &str = "picture embeddings";
pub(super) const TEXTS: &str = "text embeddings";

/// Embeddings with length 1, in f32; zeros stay zeros and are like nothing.
///
/// # Shapes
/// - embeds, output: `[count, width]`
///
/// # Errors
/// [`PictureMetricError::EmbeddingWidth`] for embeddings without width,
/// [`PictureMetricError::NotFinite`] names the first row that holds NaN or infinity.
pub(super) fn directions<B: Backend>(
    embeds: Tensor<B, 2>,
    what: &'static str,
) -> Result<Tensor<B, 2>, PictureMetricError> {
    if embeds.dims()[1] == 0 {
        return Err(PictureMetricError::EmbeddingWidth {
            pictures: 0,
            texts: 0,
        });
    }
    // A row holds what is not finite exactly if its sum of absolute values is not: one number a
    // row leaves the device.
    let embeds = embeds.cast(DType::F32);
    let sums = embeds.clone().abs().sum_dim(1).into_data();
    let mut sums = sums.iter::<f64>().enumerate();
    match sums.find(|(_, sum)| !sum.is_finite()) {
        Some((row, value)) => Err(PictureMetricError::NotFinite { what, row, value }),
        None => Ok(normalize_rows(embeds)),
    }
}
