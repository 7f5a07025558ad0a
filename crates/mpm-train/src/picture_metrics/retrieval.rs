//! Finding texts by pictures and pictures by texts.

use burn::tensor::{Tensor, backend::Backend};

use super::{
    PictureMetricError, Recall,
    cosine::{PICTURES, TEXTS, directions},
};

/// Queries whose cosines are computed at a time, so that memory grows with the number of
/// candidates only.
const CHUNK: usize = 1024;

/// Retrieval by cosine, in both directions.
#[derive(Clone, Debug, PartialEq)]
pub struct Retrieval {
    /// How often a picture finds one of its texts among all texts.
    pub picture_to_text: Recall,
    /// How often a text finds its picture among all pictures.
    pub text_to_picture: Recall,
}

impl Retrieval {
    /// Compares pairs: row `i` of both is a picture and its text.
    ///
    /// # Shapes
    /// - image_embeds, text_embeds: `[pairs, width]`, of any length
    ///
    /// # Errors
    /// [`PictureMetricError::Pairs`] for other shapes, and as [`of_owned`](Self::of_owned).
    pub fn of<B: Backend>(
        image_embeds: Tensor<B, 2>,
        text_embeds: Tensor<B, 2>,
    ) -> Result<Self, PictureMetricError> {
        let (pictures, texts) = (image_embeds.dims(), text_embeds.dims());
        if pictures != texts {
            return Err(PictureMetricError::Pairs { pictures, texts });
        }
        let owners: Vec<usize> = (0..texts[0]).collect();
        Self::of_owned(image_embeds, text_embeds, &owners)
    }

    /// Compares pictures with any number of texts each, such as COCO's five: `owners` says which
    /// picture each text belongs to.
    ///
    /// # Shapes
    /// - image_embeds: `[pictures, width]`, of any length
    /// - text_embeds: `[texts, width]`, of any length
    /// - owners: `[texts]`
    ///
    /// # Errors
    /// [`PictureMetricError::Empty`], [`PictureMetricError::EmbeddingWidth`],
    /// [`PictureMetricError::OwnerCount`], [`PictureMetricError::Owner`],
    /// [`PictureMetricError::NoText`] and [`PictureMetricError::NotFinite`].
    pub fn of_owned<B: Backend>(
        image_embeds: Tensor<B, 2>,
        text_embeds: Tensor<B, 2>,
        owners: &[usize],
    ) -> Result<Self, PictureMetricError> {
        let ([pictures, picture_width], [texts, text_width]) =
            (image_embeds.dims(), text_embeds.dims());
        if picture_width != text_width {
            return Err(PictureMetricError::EmbeddingWidth {
                pictures: picture_width,
                texts: text_width,
            });
        }
        check_owners(pictures, texts, owners)?;
        let image_embeds = directions(image_embeds, PICTURES)?;
        let text_embeds = directions(text_embeds, TEXTS)?;
        Ok(Self {
            picture_to_text: recall(&image_embeds, &text_embeds, |picture, text| {
                owners[text] == picture
            }),
            text_to_picture: recall(&text_embeds, &image_embeds, |text, picture| {
                owners[text] == picture
            }),
        })
    }
}

fn check_owners(pictures: usize, texts: usize, owners: &[usize]) -> Result<(), PictureMetricError> {
    if pictures == 0 || texts == 0 {
        return Err(PictureMetricError::Empty);
    }
    if texts != owners.len() {
        let owners = owners.len();
        return Err(PictureMetricError::OwnerCount { texts, owners });
    }
    let mut has_text = vec![false; pictures];
    for (text, &picture) in owners.iter().enumerate() {
        let owner = PictureMetricError::Owner {
            text,
            picture,
            pictures,
        };
        *has_text.get_mut(picture).ok_or(owner)? = true;
    }
    match has_text.iter().position(|&has| !has) {
        Some(picture) => Err(PictureMetricError::NoText { picture }),
        None => Ok(()),
    }
}

/// # Shapes
/// - queries: `[queries, width]`
/// - candidates: `[candidates, width]`
fn recall<B: Backend>(
    queries: &Tensor<B, 2>,
    candidates: &Tensor<B, 2>,
    is_right: impl Fn(usize, usize) -> bool,
) -> Recall {
    let ([count, _], [width, _]) = (queries.dims(), candidates.dims());
    let mut recall = Recall::default();
    for start in (0..count).step_by(CHUNK) {
        let rows = CHUNK.min(count - start);
        let chunk = queries.clone().narrow(0, start, rows);
        let cosines = chunk.matmul(candidates.clone().transpose()).into_data();
        let cosines: Vec<f32> = cosines.iter().collect();
        for (row, cosines) in cosines.chunks_exact(width).enumerate() {
            recall.add(cosines, |candidate| is_right(start + row, candidate));
        }
    }
    recall
}
