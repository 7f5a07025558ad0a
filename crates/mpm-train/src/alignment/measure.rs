//! The figures of two sets of states.

use burn::tensor::backend::Backend;
use burn::tensor::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::picture_metrics::Recall;

/// Sentences whose cosines with all others are computed at a time, so that memory grows with the
/// number of sentences and not with its square.
const CHUNK: usize = 1024;

/// The shortest state that has a direction.
const MIN_NORM: f32 = 1e-12;

/// How close the states of sentences and of their translations are.
///
/// All cosines are between `-1` and `1`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alignment {
    /// Mean cosine of a sentence and its translation.
    pub cosine: f64,
    /// Mean cosine of a sentence and the translation of another: the baseline of `cosine`.
    pub cosine_of_others: f64,
    /// Part of the sentences whose nearest neighbour by cosine, among all sentences of the second
    /// language, is their translation: `0.0..=1.0`, by chance one over the number of sentences.
    /// Neighbours that are equally near, but for rounding, share the hit, so that equal states are
    /// at chance.
    pub forward_accuracy: f64,
    /// The same from the second language to the first.
    pub backward_accuracy: f64,
    /// How much nearer the translation is than the nearest other sentence: the mean difference of
    /// cosines, over both directions. Negative where others are nearer.
    pub margin: f64,
}

impl Alignment {
    /// Compares states row by row: row `i` of both is the same sentence in two languages.
    ///
    /// # Shapes
    /// - first, second: `[sentences, d_model]`, at least two sentences
    ///
    /// # Errors
    /// [`TrainError::StatesShape`] for other shapes, [`TrainError::StatesNotFinite`] for states
    /// without a direction.
    pub fn of<B: Backend>(first: Tensor<B, 2>, second: Tensor<B, 2>) -> Result<Self, TrainError> {
        let (shape, other) = (first.dims(), second.dims());
        if shape != other || shape[0] < 2 {
            return Err(TrainError::StatesShape {
                first: shape,
                second: other,
            });
        }
        let (first, second) = (directions(first), directions(second));
        let forward = Neighbours::of(&first, &second);
        let backward = Neighbours::of(&second, &first);
        if !(forward.own + forward.others).is_finite() {
            return Err(TrainError::StatesNotFinite);
        }
        let count = shape[0] as f64;
        Ok(Self {
            cosine: forward.own / count,
            cosine_of_others: forward.others / (count * (count - 1.0)),
            forward_accuracy: forward.places.hits(1) / count,
            backward_accuracy: backward.places.hits(1) / count,
            margin: (forward.margins + backward.margins) / (2.0 * count),
        })
    }

    /// As [`of`](Self::of), after the mean state of each language is taken off.
    ///
    /// States have a large part in common, of all sentences and of those of one language, which
    /// hides how near they are. Without it, cosines can be compared between layers.
    ///
    /// # Errors
    /// As [`of`](Self::of).
    pub fn of_centred<B: Backend>(
        first: Tensor<B, 2>,
        second: Tensor<B, 2>,
    ) -> Result<Self, TrainError> {
        Self::of(centred(first), centred(second))
    }

    /// The mean of both directions' accuracy, `0.0..=1.0`.
    pub fn accuracy(&self) -> f64 {
        (self.forward_accuracy + self.backward_accuracy) / 2.0
    }
}

fn centred<B: Backend>(states: Tensor<B, 2>) -> Tensor<B, 2> {
    let states = states.cast(DType::F32);
    let mean = states.clone().mean_dim(0);
    states - mean
}

/// The states, in f32, with length 1.
pub(super) fn directions<B: Backend>(states: Tensor<B, 2>) -> Tensor<B, 2> {
    let states = states.cast(DType::F32);
    let norm = states.clone().square().sum_dim(1).sqrt();
    states / norm.clamp_min(MIN_NORM)
}

/// Sums over the sentences of one language.
#[derive(Default)]
struct Neighbours {
    /// Cosines with the own translation.
    own: f64,
    /// Cosines with all others.
    others: f64,
    /// At which place each finds its translation.
    places: Recall,
    /// Cosine with the own translation less that with the nearest other.
    margins: f64,
}

impl Neighbours {
    fn of<B: Backend>(from: &Tensor<B, 2>, to: &Tensor<B, 2>) -> Self {
        let [count, _] = from.dims();
        let mut sums = Self::default();
        for start in (0..count).step_by(CHUNK) {
            let end = count.min(start + CHUNK);
            let cosines = from
                .clone()
                .narrow(0, start, end - start)
                .matmul(to.clone().transpose());
            sums.add(cosines, start);
        }
        sums
    }

    /// Adds the cosines `[rows, count]` of sentences from `start` on.
    fn add<B: Backend>(&mut self, cosines: Tensor<B, 2>, start: usize) {
        let [_, count] = cosines.dims();
        let cosines = cosines.into_data();
        let cosines: Vec<f32> = cosines.iter().collect();
        for (own, row) in (start..).zip(cosines.chunks_exact(count)) {
            self.places.add(row, |candidate| candidate == own);
            let translation = f64::from(row[own]);
            let (before, behind) = (&row[..own], &row[own + 1..]);
            let mut nearest = f64::NEG_INFINITY;
            for other in before.iter().chain(behind).copied().map(f64::from) {
                self.others += other;
                nearest = nearest.max(other);
            }
            self.own += translation;
            self.margins += translation - nearest;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use burn::backend::Flex;
    use burn::tensor::TensorData;
    use proptest::prelude::*;

    use super::*;

    /// Rounding of cosines in f32.
    const ROUNDING: f64 = 1e-5;

    fn tensor(values: Vec<f32>, width: usize) -> Tensor<Flex, 2> {
        let rows = values.len() / width;
        Tensor::from_data(TensorData::new(values, [rows, width]), &Default::default())
    }

    /// The cosines of all sentences with all sentences of the second language, in f64.
    fn cosines(first: &[f32], second: &[f32], width: usize) -> Vec<Vec<f64>> {
        let rows = |values: &[f32]| -> Vec<Vec<f64>> {
            let rows = values.chunks(width);
            rows.map(|row| {
                let norm = row
                    .iter()
                    .map(|&x| f64::from(x).powi(2))
                    .sum::<f64>()
                    .sqrt();
                row.iter().map(|&x| f64::from(x) / norm).collect()
            })
            .collect()
        };
        let (first, second) = (rows(first), rows(second));
        let cosine =
            |one: &[f64], other: &[f64]| -> f64 { one.iter().zip(other).map(|(x, y)| x * y).sum() };
        let with_all = |one: &Vec<f64>| -> Vec<f64> {
            second.iter().map(|other| cosine(one, other)).collect()
        };
        first.iter().map(with_all).collect()
    }

    /// Whether some sentence has another that is as near as its translation, or nearly so: with
    /// rounding it may count as either.
    fn has_tie(cosines: &[Vec<f64>]) -> bool {
        let tied = |i: usize, other: f64| (cosines[i][i] - other).abs() < ROUNDING;
        (0..cosines.len()).any(|i| {
            let mut others = (0..cosines.len()).filter(|&j| j != i);
            others.any(|j| tied(i, cosines[i][j]) || tied(i, cosines[j][i]))
        })
    }

    /// The same figures, sentence by sentence in f64.
    fn reference(first: &[f32], second: &[f32], width: usize) -> Alignment {
        let cosines = cosines(first, second, width);
        let count = cosines.len();
        let cosine = |i: usize, j: usize| cosines[i][j];
        let off = |i: usize| (0..count).filter(move |&j| j != i);
        let nearest = |of: &dyn Fn(usize) -> f64, i| off(i).map(of).fold(f64::MIN, f64::max);
        let mut result = Alignment {
            cosine: 0.0,
            cosine_of_others: 0.0,
            forward_accuracy: 0.0,
            backward_accuracy: 0.0,
            margin: 0.0,
        };
        let n = count as f64;
        for i in 0..count {
            let forward = cosine(i, i) - nearest(&|j| cosine(i, j), i);
            let backward = cosine(i, i) - nearest(&|j| cosine(j, i), i);
            result.cosine += cosine(i, i) / n;
            result.cosine_of_others += off(i).map(|j| cosine(i, j)).sum::<f64>() / (n * (n - 1.0));
            result.forward_accuracy += f64::from(u8::from(forward > 0.0)) / n;
            result.backward_accuracy += f64::from(u8::from(backward > 0.0)) / n;
            result.margin += (forward + backward) / (2.0 * n);
        }
        result
    }

    #[test]
    fn translations_with_the_same_states_are_all_found() {
        let states = tensor(vec![1., 0., 0., 0., 2., 0., 0., 0., 3.], 3);
        let alignment = Alignment::of(states.clone(), states.clone() * 2.0).unwrap();
        assert_eq!(alignment.accuracy(), 1.0);
        assert!((alignment.cosine - 1.0).abs() < ROUNDING);
        assert!(alignment.cosine_of_others.abs() < ROUNDING);
        assert!((alignment.margin - 1.0).abs() < ROUNDING);
    }

    #[test]
    fn states_that_say_nothing_are_at_chance() {
        let states = tensor(vec![1.0; 40], 4);
        for alignment in [
            Alignment::of(states.clone(), states.clone()).unwrap(),
            // Centred, all of them are zero.
            Alignment::of_centred(states.clone(), states).unwrap(),
        ] {
            assert!(
                (alignment.accuracy() - 0.1).abs() < ROUNDING,
                "{alignment:?}"
            );
            assert!(alignment.margin.abs() < ROUNDING);
        }
    }

    #[test]
    fn states_that_differ_by_rounding_are_at_chance() {
        // Their cosines are at most 5e-7 below 1: a few steps of f32.
        let states = tensor(vec![1.0, 0.0, 1.0, 5e-4, 1.0, 1e-3], 2);
        let alignment = Alignment::of(states.clone(), states).unwrap();
        let third = 1.0 / 3.0;
        assert!(
            (alignment.accuracy() - third).abs() < ROUNDING,
            "{alignment:?}"
        );
    }

    #[test]
    fn what_a_language_has_in_common_hides_nothing_when_centred() {
        let meaning = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.3]];
        let first: Vec<f32> = meaning.iter().flat_map(|m| [m[0], m[1], 50.0]).collect();
        let second: Vec<f32> = meaning
            .iter()
            .flat_map(|m| [m[0] + 30.0, m[1], -50.0])
            .collect();
        let (first, second) = (tensor(first, 3), tensor(second, 3));
        let raw = Alignment::of(first.clone(), second.clone()).unwrap();
        assert!(raw.cosine < -0.5, "{raw:?}");
        let centred = Alignment::of_centred(first, second).unwrap();
        assert_eq!(centred.accuracy(), 1.0);
        assert!((centred.cosine - 1.0).abs() < ROUNDING, "{centred:?}");
    }

    #[test]
    fn chunks_do_not_matter() {
        let count = 2 * CHUNK + 7;
        let values = |seed: usize| -> Vec<f32> {
            let spread = |i: usize| ((i * 2654435761 + seed) % 1009) as f32 / 504.5 - 1.0;
            (0..count * 2).map(spread).collect()
        };
        let (first, second) = (values(1), values(9));
        let expected = reference(&first, &second, 2);
        let found = Alignment::of(tensor(first, 2), tensor(second, 2)).unwrap();
        assert!((found.cosine - expected.cosine).abs() < ROUNDING);
        assert!((found.cosine_of_others - expected.cosine_of_others).abs() < ROUNDING);
        assert!((found.margin - expected.margin).abs() < ROUNDING);
    }

    #[test]
    fn states_of_other_shapes_are_an_error() {
        for (first, second) in [([3, 2], [2, 2]), ([2, 3], [2, 2]), ([1, 2], [1, 2])] {
            let device = Default::default();
            let states = |shape: [usize; 2]| Tensor::<Flex, 2>::ones(shape, &device);
            let error = Alignment::of(states(first), states(second)).unwrap_err();
            assert!(matches!(error, TrainError::StatesShape { .. }), "{error}");
        }
    }

    #[test]
    fn states_that_are_not_finite_are_an_error() {
        let good = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
        for wrong in [f32::NAN, f32::INFINITY] {
            for place in 0..good.len() {
                let mut bad = good.to_vec();
                bad[place] = wrong;
                let states = [tensor(good.to_vec(), 2), tensor(bad, 2)];
                for [first, second] in [states.clone(), [states[1].clone(), states[0].clone()]] {
                    let error = Alignment::of(first, second).unwrap_err();
                    assert!(matches!(error, TrainError::StatesNotFinite), "{error}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_figures_are_those_of_the_definition(
            values in (2..9usize).prop_flat_map(|rows| {
                prop::collection::vec((-1.0..1.0f32).prop_filter("0", |x| x.abs() > 1e-3), rows * 6)
            }),
        ) {
            let (first, second) = values.split_at(values.len() / 2);
            prop_assume!(!has_tie(&cosines(first, second, 3)));
            let expected = reference(first, second, 3);
            let found = Alignment::of(tensor(first.to_vec(), 3), tensor(second.to_vec(), 3));
            let found = found.unwrap();
            prop_assert!((found.cosine - expected.cosine).abs() < ROUNDING);
            prop_assert!((found.cosine_of_others - expected.cosine_of_others).abs() < ROUNDING);
            prop_assert!((found.margin - expected.margin).abs() < ROUNDING);
            prop_assert!((found.forward_accuracy - expected.forward_accuracy).abs() < ROUNDING);
            prop_assert!((found.backward_accuracy - expected.backward_accuracy).abs() < ROUNDING);
        }
    }
}
