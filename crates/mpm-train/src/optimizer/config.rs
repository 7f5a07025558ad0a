//! Settings of the optimizer.

use serde::{Deserialize, Serialize};

use crate::TrainError;

/// How weight decay enters the step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// As a part of the gradient (Kingma and Ba 2015, with an L2 penalty).
    Adam,
    /// Apart from the gradient (Loshchilov and Hutter 2019). DeepSpeed's "Adam", with which the
    /// reference trains, is this one.
    #[default]
    AdamW,
}

/// Settings of the optimizer and of gradient clipping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Decay of the running mean of gradients, `0.0..1.0`.
    pub beta_1: f32,
    /// Decay of the running mean of squared gradients, `0.0..1.0`.
    pub beta_2: f32,
    /// Added to the root of the second moment, positive.
    pub epsilon: f32,
    /// Part of a parameter that is taken away per unit of learning rate.
    pub weight_decay: f32,
    /// Patterns of parameters without weight decay, e.g. embeddings and queries.
    /// Parameters of one dimension (norms, biases) never decay.
    pub no_decay: Vec<String>,
    /// Upper bound of the norm of all gradients together; `None` does not clip.
    pub clip_norm: Option<f64>,
    /// Parameters with settings of their own. The first group that matches a parameter has it;
    /// a parameter without a group follows the settings above.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<ParameterGroup>,
}

/// Parameters with settings of their own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParameterGroup {
    /// Patterns of the group's parameters.
    pub parameters: Vec<String>,
    /// Multiplies the learning rate of the schedule; 1 where it is left out.
    #[serde(default = "one")]
    pub learning_rate_factor: f64,
    /// Replaces the weight decay of all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f32>,
}

fn one() -> f64 {
    1.0
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            algorithm: Algorithm::AdamW,
            beta_1: 0.9,
            beta_2: 0.98,
            epsilon: 1e-8,
            weight_decay: 0.01,
            no_decay: Vec::new(),
            clip_norm: Some(1.0),
            groups: Vec::new(),
        }
    }
}

impl OptimizerConfig {
    /// Checks the ranges of all settings.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the first one that is out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        let share = |name, value: f32| {
            let sound = (0.0..1.0).contains(&value);
            (name, f64::from(value), sound, "at least 0 and below 1")
        };
        let positive = |name, value: f64| {
            let sound = value.is_finite() && value > 0.0;
            (name, value, sound, "finite and positive")
        };
        let not_negative = |name, value: f64| {
            let sound = value.is_finite() && value >= 0.0;
            (name, value, sound, "finite and not negative")
        };
        let mut checks = vec![
            share("optimizer.beta_1", self.beta_1),
            share("optimizer.beta_2", self.beta_2),
            positive("optimizer.epsilon", self.epsilon.into()),
            not_negative("optimizer.weight_decay", self.weight_decay.into()),
            positive("optimizer.clip_norm", self.clip_norm.unwrap_or(1.0)),
        ];
        for group in &self.groups {
            let factor = group.learning_rate_factor;
            checks.push(not_negative(
                "optimizer.groups.learning_rate_factor",
                factor,
            ));
            let decay = group.weight_decay.unwrap_or(0.0);
            checks.push(not_negative("optimizer.groups.weight_decay", decay.into()));
        }
        match checks.into_iter().find(|(_, _, sound, _)| !sound) {
            None => Ok(()),
            Some((name, value, _, expected)) => Err(TrainError::Setting {
                name,
                value: value.to_string(),
                expected,
            }),
        }
    }
}
