//! Bringing translations together and other sentences apart.

use burn::tensor::activation::log_softmax;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use serde::{Deserialize, Serialize};

use super::measure::directions;
use crate::{LossOutput, TrainError};

/// Settings of [`contrastive_loss`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ContrastiveConfig {
    /// What cosines are divided by before the softmax; above 0.
    pub temperature: f64,
    /// By how much a translation has to be nearer than the others: taken off its cosine, at
    /// least 0.
    pub margin: f64,
}

impl Default for ContrastiveConfig {
    /// Temperature 0.1 and no margin.
    fn default() -> Self {
        Self {
            temperature: 0.1,
            margin: 0.0,
        }
    }
}

impl ContrastiveConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`TrainError::Setting`].
    pub fn validate(&self) -> Result<(), TrainError> {
        let setting = |name, value: f64, expected| TrainError::Setting {
            name,
            value: value.to_string(),
            expected,
        };
        if !(self.temperature > 0.0 && self.temperature.is_finite()) {
            let expected = "above 0 and finite";
            return Err(setting("temperature", self.temperature, expected));
        }
        if !(self.margin >= 0.0 && self.margin.is_finite()) {
            return Err(setting("margin", self.margin, "at least 0 and finite"));
        }
        Ok(())
    }
}

/// InfoNCE over a batch of pairs, in both directions: the mean cross entropy of finding a
/// sentence's translation among those of the whole batch.
///
/// A target is a sentence of either language, so `counted` is twice the number of pairs; so is
/// `tokens`, where a caller who knows the sentences' tokens can set these.
///
/// # Shapes
/// - first, second: `[pairs, d_model]`, at least two pairs
///
/// # Errors
/// [`TrainError::StatesShape`] for other shapes, [`TrainError::Setting`] for unsound settings.
///
/// Source: Language-agnostic BERT Sentence Embedding (arXiv 2007.01852), section 2.2, equations 1
/// to 3.
pub fn contrastive_loss<B: Backend>(
    first: Tensor<B, 2>,
    second: Tensor<B, 2>,
    config: &ContrastiveConfig,
) -> Result<LossOutput<B>, TrainError> {
    config.validate()?;
    let (shape, other) = (first.dims(), second.dims());
    if shape != other || shape[0] < 2 {
        return Err(TrainError::StatesShape {
            first: shape,
            second: other,
        });
    }
    let pairs = shape[0];
    let device = first.device();
    let cosines = directions(first).matmul(directions(second).transpose());
    let margin = Tensor::eye(pairs, &device).mul_scalar(config.margin);
    let logits = (cosines - margin).div_scalar(config.temperature);
    let own: Tensor<B, 1, Int> = Tensor::arange(0..pairs as i64, &device);
    let own: Tensor<B, 2, Int> = own.unsqueeze_dim(1);
    let direction = |logits: Tensor<B, 2>| {
        let hits = logits.clone().argmax(1).equal(own.clone()).int().sum();
        let likelihood = log_softmax(logits, 1).gather(1, own.clone());
        (likelihood.mean().neg(), hits)
    };
    let (forward, forward_hits) = direction(logits.clone());
    let (backward, backward_hits) = direction(logits.transpose());
    Ok(LossOutput {
        loss: (forward + backward).div_scalar(2.0),
        counted: 2 * pairs,
        correct: Some(forward_hits + backward_hits),
        samples: pairs,
        tokens: 2 * pairs,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use burn::backend::{Autodiff, Flex};

    use super::*;

    /// Rounding of f32.
    const ROUNDING: f64 = 1e-5;

    type B = Autodiff<Flex>;

    fn loss(first: [[f32; 2]; 3], second: [[f32; 2]; 3], config: ContrastiveConfig) -> (f64, i32) {
        let device = Default::default();
        let states = |values| Tensor::<B, 2>::from_floats(values, &device);
        let output = contrastive_loss(states(first), states(second), &config).unwrap();
        let correct = output.correct.unwrap().into_scalar();
        (f64::from(output.loss.into_scalar()), correct)
    }

    #[test]
    fn the_loss_is_that_of_the_definition() {
        let first = [[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]];
        let second = [[2.0, 0.0], [1.0, 0.0], [0.0, -1.0]];
        let config = ContrastiveConfig {
            temperature: 0.5,
            margin: 0.25,
        };
        let cosines = [[1.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, -1.0, 0.0]];
        let logit =
            |i: usize, j: usize| -> f64 { (cosines[i][j] - if i == j { 0.25 } else { 0.0 }) / 0.5 };
        let mut expected = 0.0;
        for i in 0..3 {
            let row: f64 = (0..3).map(|j| logit(i, j).exp()).sum();
            let column: f64 = (0..3).map(|j| logit(j, i).exp()).sum();
            expected += (row.ln() + column.ln() - 2.0 * logit(i, i)) / 6.0;
        }
        let (found, _) = loss(first, second, config);
        assert!((found - expected).abs() < ROUNDING, "{found} {expected}");
    }

    #[test]
    fn pairs_far_from_all_others_cost_nothing() {
        let states = [[1.0, 0.0], [-0.5, 0.9], [-0.5, -0.9]];
        let config = ContrastiveConfig {
            temperature: 0.01,
            margin: 0.0,
        };
        let (found, correct) = loss(states, states, config);
        assert!(found < ROUNDING);
        assert_eq!(correct, 6);
    }

    #[test]
    fn unsound_settings_and_shapes_are_errors() {
        let device = Default::default();
        let states = |rows| Tensor::<B, 2>::ones([rows, 2], &device);
        let with = |temperature, margin| ContrastiveConfig {
            temperature,
            margin,
        };
        for config in [with(0.0, 0.0), with(f64::NAN, 0.0), with(1.0, -1.0)] {
            let error = contrastive_loss(states(2), states(2), &config).unwrap_err();
            assert!(matches!(error, TrainError::Setting { .. }), "{error}");
        }
        for (first, second) in [(1, 1), (2, 3)] {
            let config = ContrastiveConfig::default();
            let error = contrastive_loss(states(first), states(second), &config).unwrap_err();
            assert!(matches!(error, TrainError::StatesShape { .. }), "{error}");
        }
    }
}
