//! What a run tells about its progress, and who listens.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use crate::BoxError;

/// One update of the parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Number of the step, counted from 1 over all sessions of the run.
    pub step: usize,
    /// Number of steps of the whole run.
    pub steps: usize,
    /// Mean loss over everything that counts in the step, before the update.
    pub loss: f64,
    /// Part of the counted targets predicted right, `0.0..=1.0`; `None` where the
    /// objective has no such thing.
    pub accuracy: Option<f64>,
    /// Learning rate of the step.
    pub learning_rate: f64,
    /// Norm of all gradients together, before clipping; `None` where they overflowed, and the
    /// step was skipped.
    pub gradient_norm: Option<f64>,
    /// The factor by which the loss was scaled, in f16; `None` where it was not.
    pub loss_scale: Option<f64>,
    /// Whether the gradient overflowed and the parameters stayed as they were.
    pub skipped: bool,
    /// Number of targets that count.
    pub counted: usize,
    /// Number of samples.
    pub samples: usize,
    /// Number of positions processed.
    pub tokens: usize,
    /// Samples per second of this step, waiting for data included.
    pub samples_per_second: f64,
    /// Positions per second of this step, waiting for data included.
    pub tokens_per_second: f64,
    /// Seconds since this session of the run started.
    pub seconds: f64,
    /// Estimate of the seconds to the last step.
    pub seconds_left: f64,
}

/// Watches a run and may stop it.
///
/// Every closure `FnMut(&StepReport) -> ControlFlow<()>` is a callback.
pub trait Callback<M> {
    /// Called before the first step of a session; `step` steps are already done.
    ///
    /// # Errors
    /// Any error stops the run.
    fn on_start(&mut self, step: usize) -> Result<(), BoxError> {
        let _ = step;
        Ok(())
    }

    /// Called after each step with the updated model. [`ControlFlow::Break`] ends
    /// the run with a checkpoint.
    ///
    /// # Errors
    /// Any error stops the run without a new checkpoint.
    fn on_step(&mut self, report: &StepReport, model: &M) -> Result<ControlFlow<()>, BoxError>;
}

impl<M, F: FnMut(&StepReport) -> ControlFlow<()>> Callback<M> for F {
    fn on_step(&mut self, report: &StepReport, _model: &M) -> Result<ControlFlow<()>, BoxError> {
        Ok(self(report))
    }
}
