//! How well pictures fit their texts.

use std::fmt;

use burn::tensor::{Tensor, backend::Backend};

use super::{
    PictureMetricError,
    cosine::{PICTURES, TEXTS, directions},
};

/// What a cosine is multiplied by.
const SCALE: f64 = 100.0;

/// CLIP score, 0 to 100, of any number of pairs; with the towers of Chinese-CLIP it is the
/// Chinese-CLIP score.
///
/// The score of a pair is `max(100 · cos(picture, text), 0)` (CLIPScore,
/// <https://arxiv.org/abs/2104.08718>, with 100 in place of 2.5). Only the same model's scores can
/// be compared.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ClipScore {
    pairs: usize,
    /// Sum of `100 · cos`.
    sum: f64,
    /// Sum of `max(100 · cos, 0)`.
    clipped: f64,
}

impl ClipScore {
    /// The score of no pairs yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds pairs: row `i` of both is a picture and its text. A batch that is refused changes
    /// nothing.
    ///
    /// # Shapes
    /// - image_embeds, text_embeds: `[pairs, width]`, of any length
    ///
    /// # Errors
    /// [`PictureMetricError::Pairs`] for other shapes, [`PictureMetricError::EmbeddingWidth`] for
    /// embeddings without width, [`PictureMetricError::NotFinite`].
    pub fn add<B: Backend>(
        &mut self,
        image_embeds: Tensor<B, 2>,
        text_embeds: Tensor<B, 2>,
    ) -> Result<(), PictureMetricError> {
        let (pictures, texts) = (image_embeds.dims(), text_embeds.dims());
        if pictures != texts {
            return Err(PictureMetricError::Pairs { pictures, texts });
        }
        if pictures[0] == 0 {
            return Ok(());
        }
        let pictures = directions(image_embeds, PICTURES)?;
        let texts = directions(text_embeds, TEXTS)?;
        let cosines = (pictures * texts).sum_dim(1).into_data();
        for cosine in cosines.iter::<f64>() {
            self.pairs += 1;
            self.sum += SCALE * cosine;
            self.clipped += (SCALE * cosine).max(0.0);
        }
        Ok(())
    }

    /// How many pairs were added.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// The mean score of the pairs, `mean(max(100 · cos, 0))`; `None` before the first pair.
    pub fn mean(&self) -> Option<f64> {
        (self.pairs > 0).then(|| self.clipped / self.pairs as f64)
    }

    /// `max(mean(100 · cos), 0)`: what torchmetrics computes, although it writes the formula of
    /// [`mean`](Self::mean). The two are equal unless a cosine is below 0.
    pub fn clipped_mean(&self) -> Option<f64> {
        (self.pairs > 0).then(|| (self.sum / self.pairs as f64).max(0.0))
    }
}

impl fmt::Display for ClipScore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mean() {
            Some(mean) => write!(f, "{mean:.2} over {} pairs", self.pairs),
            None => write!(f, "no pairs"),
        }
    }
}
