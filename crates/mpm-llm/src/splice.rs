//! Puts pictures' features in the place of their slots in the text.

use std::ops::Range;

use burn::tensor::{Int, Tensor, TensorData, backend::Backend};

use crate::{check::check_length, error::LlmError};

/// Replaces the embeddings at each picture's slots by its features, of which all pictures have
/// the same number.
///
/// A row may hold any number of pictures at any positions. Gradients reach
/// `features` and the embeddings of all other tokens.
///
/// # Shapes
/// - embeddings, output: `[batch, seq, d_model]`
/// - features: `[pictures, n, d_model]`, pictures row by row and in the order of
///   `bounds`; of any dtype, they are cast to that of `embeddings`
/// - bounds: for each row, the slots of its pictures, each of length `n`
///
/// # Errors
/// - [`LlmError::FeatureCount`] when the numbers of pictures differ
/// - [`LlmError::FeatureLength`] when a picture has not `n` slots
/// - those of [`splice_ragged`]
pub fn splice_features<B: Backend>(
    embeddings: Tensor<B, 3>,
    features: Tensor<B, 3>,
    bounds: &[Vec<Range<usize>>],
) -> Result<Tensor<B, 3>, LlmError> {
    let [pictures, count, width] = features.dims();
    let slots = bounds.iter().map(Vec::len).sum();
    if slots != pictures {
        return Err(LlmError::FeatureCount {
            slots,
            features: pictures,
        });
    }
    let other = bounds
        .iter()
        .flatten()
        .position(|slots| slots.len() != count);
    if let Some(picture) = other {
        return Err(LlmError::FeatureLength {
            picture,
            slots: bounds.iter().flatten().nth(picture).map_or(0, Range::len),
            features: count,
        });
    }
    splice_ragged(
        embeddings,
        features.reshape([pictures * count, width]),
        bounds,
    )
}

/// As [`splice_features`], for pictures with different numbers of features.
///
/// # Shapes
/// - embeddings, output: `[batch, seq, d_model]`
/// - features: `[n, d_model]`, those of all pictures, row by row and in the order of `bounds`
/// - bounds: for each row, the slots of its pictures, `n` in all
///
/// # Errors
/// - [`LlmError::InputLength`] when `bounds` has not one entry for each row, the widths differ,
///   or there are more or fewer features than slots
/// - [`LlmError::FeatureBounds`] when slots lie outside the row
/// - [`LlmError::FeatureOverlap`] when two pictures share a slot
pub fn splice_ragged<B: Backend>(
    embeddings: Tensor<B, 3>,
    features: Tensor<B, 2>,
    bounds: &[Vec<Range<usize>>],
) -> Result<Tensor<B, 3>, LlmError> {
    let [batch, seq_len, width] = embeddings.dims();
    let [count, feature_width] = features.dims();
    check_length("picture bounds", bounds.len(), batch)?;
    check_length("picture features", feature_width, width)?;

    // One gather from the text's rows followed by the features' rows.
    let mut source: Vec<i32> = (0..(batch * seq_len) as i32).collect();
    let placed = bounds
        .iter()
        .enumerate()
        .flat_map(|(row, bounds)| bounds.iter().map(move |bound| (row, bound)));
    let mut feature = 0;
    for (picture, (row, bound)) in placed.enumerate() {
        if bound.start > bound.end || bound.end > seq_len {
            return Err(LlmError::FeatureBounds {
                picture,
                start: bound.start,
                end: bound.end,
                seq_len,
            });
        }
        for slot in bound.clone() {
            let source = &mut source[row * seq_len + slot];
            if *source >= (batch * seq_len) as i32 {
                return Err(LlmError::FeatureOverlap { picture, slot });
            }
            *source = (batch * seq_len + feature) as i32;
            feature += 1;
        }
    }
    check_length("picture features (rows)", count, feature)?;
    if count == 0 {
        return Ok(embeddings);
    }
    let device = embeddings.device();
    let text = embeddings.clone().reshape([batch * seq_len, width]);
    let rows = Tensor::cat(vec![text, features.cast(embeddings.dtype())], 0);
    let source: Tensor<B, 1, Int> =
        Tensor::from_data(TensorData::new(source, [batch * seq_len]), &device);
    Ok(rows.select(0, source).reshape([batch, seq_len, width]))
}

/// A text's ids with room for its pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpandedIds {
    /// The ids.
    pub ids: Vec<i32>,
    /// The slots of each picture.
    pub pictures: Vec<Range<usize>>,
}

/// Repeats the token that stands for a picture, `placeholder`, as often as the picture has
/// features. `lengths` has the number of features of each picture, in the order of the text.
///
/// # Errors
/// [`LlmError::FeatureCount`] when the text has another number of placeholders.
pub fn expand_placeholders(
    ids: &[i32],
    placeholder: i32,
    lengths: &[usize],
) -> Result<ExpandedIds, LlmError> {
    let slots = ids.iter().filter(|&&id| id == placeholder).count();
    if slots != lengths.len() {
        return Err(LlmError::FeatureCount {
            slots,
            features: lengths.len(),
        });
    }
    let mut lengths = lengths.iter();
    let mut expanded = ExpandedIds {
        ids: Vec::with_capacity(ids.len()),
        pictures: Vec::with_capacity(slots),
    };
    for &id in ids {
        let start = expanded.ids.len();
        let length = match id == placeholder {
            true => lengths.next(),
            false => None,
        };
        match length {
            Some(&length) => {
                expanded.ids.resize(start + length, placeholder);
                expanded.pictures.push(start..start + length);
            }
            None => expanded.ids.push(id),
        }
    }
    Ok(expanded)
}

#[cfg(test)]
#[allow(
    clippy::single_range_in_vec_init,
    reason = "rows with a single picture are meant"
)]
mod tests {
    use super::*;
    use burn::{
        backend::{Autodiff, Flex},
        tensor::Distribution,
    };

    type B = Autodiff<Flex>;

    fn random<const D: usize>(dims: [usize; D]) -> Tensor<B, D> {
        Tensor::random(dims, Distribution::Default, &Default::default())
    }

    #[test]
    fn pictures_land_in_their_slots() {
        let (embeddings, features) = (random([2, 6, 4]), random([3, 2, 4]));
        let bounds = [vec![0..2, 3..5], vec![4..6]];
        let spliced = splice_features(embeddings.clone(), features.clone(), &bounds).expect("fits");
        let at = |row: usize, range: Range<usize>| {
            let window = spliced.clone().slice([row..row + 1, range, 0..4]);
            window.to_data()
        };
        let picture = |index: usize| features.clone().slice([index..index + 1]).to_data();
        assert_eq!(at(0, 0..2), picture(0));
        assert_eq!(at(0, 3..5), picture(1));
        assert_eq!(at(1, 4..6), picture(2));
        let text = embeddings.slice([1..2, 0..4, 0..4]).to_data();
        assert_eq!(at(1, 0..4), text);
    }

    #[test]
    fn gradients_reach_features_and_text_but_not_the_slots() {
        let embeddings = random([1, 4, 2]).require_grad();
        let features = random([1, 2, 2]).require_grad();
        let spliced =
            splice_features(embeddings.clone(), features.clone(), &[vec![1..3]]).expect("fits");
        let grads = spliced.sum().backward();
        let features = features.grad(&grads).expect("reached").into_data();
        assert_eq!(features.to_vec::<f32>().expect("f32"), [1.0; 4]);
        let embeddings = embeddings.grad(&grads).expect("reached").into_data();
        assert_eq!(
            embeddings.to_vec::<f32>().expect("f32"),
            [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]
        );
    }

    #[test]
    fn mismatches_name_both_numbers() {
        let splice = |pictures: usize, bounds: &[Vec<Range<usize>>]| {
            splice_features(random([1, 6, 4]), random([pictures, 3, 4]), bounds)
        };
        assert!(matches!(
            splice(2, &[vec![0..3]]),
            Err(LlmError::FeatureCount {
                slots: 1,
                features: 2
            })
        ));
        assert!(matches!(
            splice(1, &[vec![0..2]]),
            Err(LlmError::FeatureLength {
                picture: 0,
                slots: 2,
                features: 3
            })
        ));
        assert!(matches!(
            splice(1, &[vec![4..7]]),
            Err(LlmError::FeatureBounds {
                start: 4,
                end: 7,
                seq_len: 6,
                ..
            })
        ));
        assert!(matches!(
            splice(2, &[vec![0..3, 2..5]]),
            Err(LlmError::FeatureOverlap {
                picture: 1,
                slot: 2
            })
        ));
        let message = splice(1, &[vec![0..2]]).expect_err("too short").to_string();
        assert!(message.contains("2 slots") && message.contains("3 features"));
    }

    #[test]
    fn placeholders_make_room_for_pictures_of_any_length() {
        let expanded = expand_placeholders(&[5, 9, 6, 9], 9, &[1, 3]).expect("two pictures");
        assert_eq!(expanded.ids, [5, 9, 6, 9, 9, 9]);
        assert_eq!(expanded.pictures, [1..2, 3..6]);
        assert!(matches!(
            expand_placeholders(&[5, 9], 9, &[1, 3]),
            Err(LlmError::FeatureCount {
                slots: 1,
                features: 2
            })
        ));

        let (embeddings, features) = (random([1, 6, 4]), random([4, 4]));
        let bounds = [expanded.pictures];
        let spliced = splice_ragged(embeddings.clone(), features.clone(), &bounds).expect("fits");
        let at = |range: Range<usize>| spliced.clone().slice([0..1, range, 0..4]).to_data();
        let feature = |range: Range<usize>| features.clone().slice([range]).unsqueeze::<3>();
        assert_eq!(at(1..2), feature(0..1).to_data());
        assert_eq!(at(3..6), feature(1..4).to_data());
        assert_eq!(at(0..1), embeddings.slice([0..1, 0..1]).to_data());
        assert!(matches!(
            splice_ragged(random([1, 6, 4]), random([3, 4]), &bounds),
            Err(LlmError::InputLength {
                expected: 4,
                actual: 3,
                ..
            })
        ));
    }
}
