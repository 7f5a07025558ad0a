//! Two encoders that embed pictures and texts into the same space.

use burn::tensor::{Tensor, backend::Backend};

use super::{ClipScore, PictureMetricError, Retrieval};
use crate::BoxError;

/// The picture side and the text side of a model, as closures: the two live in different crates, and
/// what they take differs from model to model.
///
/// ```
/// # use burn::{backend::Flex, tensor::Tensor};
/// # use mpm_train::{BoxError, picture_metrics::TwoTowers};
/// # fn main() -> Result<(), mpm_train::picture_metrics::PictureMetricError> {
/// // With models: |pixels| Ok(vision.image_embeds(pixels)?), |texts: &[&str]| Ok(encoder.embed(texts)?)
/// let towers = TwoTowers::new(
///     |pixels: Tensor<Flex, 4>| Ok::<_, BoxError>(pixels.flatten(1, 3)),
///     |texts: &[&str]| Ok(Tensor::ones([texts.len(), 12], &Default::default())),
/// );
/// let pixels = Tensor::ones([2, 3, 2, 2], &Default::default());
/// let score = towers.clip_score([(pixels, &["a white square", "the same"][..])])?;
/// assert!(score.mean().is_some_and(|mean| (mean - 100.0).abs() < 1e-4));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TwoTowers<P, T> {
    pictures: P,
    texts: T,
}

impl<P, T> TwoTowers<P, T> {
    /// Joins two encoders.
    pub fn new<B, I, S>(pictures: P, texts: T) -> Self
    where
        B: Backend,
        P: Fn(I) -> Result<Tensor<B, 2>, BoxError>,
        T: Fn(S) -> Result<Tensor<B, 2>, BoxError>,
    {
        Self { pictures, texts }
    }

    /// The score of batches of pictures with their texts, one text a picture.
    ///
    /// # Errors
    /// [`PictureMetricError::Encoder`], and as [`ClipScore::add`].
    pub fn clip_score<B, I, S>(
        &self,
        batches: impl IntoIterator<Item = (I, S)>,
    ) -> Result<ClipScore, PictureMetricError>
    where
        B: Backend,
        P: Fn(I) -> Result<Tensor<B, 2>, BoxError>,
        T: Fn(S) -> Result<Tensor<B, 2>, BoxError>,
    {
        let mut score = ClipScore::new();
        for (pictures, texts) in batches {
            let (pictures, texts) = self.embed(pictures, texts)?;
            score.add(pictures, texts)?;
        }
        Ok(score)
    }

    /// Retrieval among all pictures and texts of all batches, one text a picture.
    ///
    /// # Errors
    /// [`PictureMetricError::Encoder`], [`PictureMetricError::Empty`] without batches, and as
    /// [`Retrieval::of`].
    pub fn retrieval<B, I, S>(
        &self,
        batches: impl IntoIterator<Item = (I, S)>,
    ) -> Result<Retrieval, PictureMetricError>
    where
        B: Backend,
        P: Fn(I) -> Result<Tensor<B, 2>, BoxError>,
        T: Fn(S) -> Result<Tensor<B, 2>, BoxError>,
    {
        let (mut all_pictures, mut all_texts) = (Vec::new(), Vec::new());
        for (pictures, texts) in batches {
            let (pictures, texts) = self.embed(pictures, texts)?;
            let (shape, other) = (pictures.dims(), texts.dims());
            let width = all_pictures
                .first()
                .map_or(shape[1], |first: &Tensor<B, 2>| first.dims()[1]);
            if shape != other || shape[1] != width {
                return Err(PictureMetricError::Pairs {
                    pictures: shape,
                    texts: other,
                });
            }
            all_pictures.push(pictures);
            all_texts.push(texts);
        }
        if all_pictures.is_empty() {
            return Err(PictureMetricError::Empty);
        }
        Retrieval::of(Tensor::cat(all_pictures, 0), Tensor::cat(all_texts, 0))
    }

    fn embed<B, I, S>(
        &self,
        pictures: I,
        texts: S,
    ) -> Result<(Tensor<B, 2>, Tensor<B, 2>), PictureMetricError>
    where
        B: Backend,
        P: Fn(I) -> Result<Tensor<B, 2>, BoxError>,
        T: Fn(S) -> Result<Tensor<B, 2>, BoxError>,
    {
        let failed = |what| move |source| PictureMetricError::Encoder { what, source };
        let pictures = (self.pictures)(pictures).map_err(failed("pictures"))?;
        let texts = (self.texts)(texts).map_err(failed("texts"))?;
        Ok((pictures, texts))
    }
}
