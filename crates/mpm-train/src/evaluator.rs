//! Measuring the model on the way.

use serde::{Deserialize, Serialize};

use crate::BoxError;

/// Which of two scores is the better one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Better {
    /// The lower one: losses, distances.
    Lower,
    /// The higher one: shares of right answers.
    Higher,
}

impl Better {
    /// Whether `score` is better than `other`.
    pub fn is_better(self, score: f64, other: f64) -> bool {
        match self {
            Self::Lower => score < other,
            Self::Higher => score > other,
        }
    }
}

/// Measures a model before each checkpoint, but not before that of a run that is broken off.
///
/// Every closure `FnMut(usize, &M) -> Result<f64, BoxError>` is an evaluator.
pub trait Evaluator<M> {
    /// The score of the model after `step` steps.
    ///
    /// # Errors
    /// Any error stops the run; the checkpoint of the step is written before.
    fn evaluate(&mut self, step: usize, model: &M) -> Result<f64, BoxError>;
}

impl<M, F: FnMut(usize, &M) -> Result<f64, BoxError>> Evaluator<M> for F {
    fn evaluate(&mut self, step: usize, model: &M) -> Result<f64, BoxError> {
        self(step, model)
    }
}
