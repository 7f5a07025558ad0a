//! Speed and remaining time of a run.

use std::time::Instant;

use crate::StepReport;
use crate::accumulate::StepGradient;

/// How a step changed the parameters.
pub(crate) struct Update {
    pub learning_rate: f64,
    /// `None` where it overflowed.
    pub gradient_norm: Option<f64>,
    pub loss_scale: Option<f64>,
    pub skipped: bool,
}

/// Measures steps and fills in their reports.
pub(crate) struct Clock {
    started: Instant,
    last: Instant,
    first_step: usize,
    steps: usize,
}

impl Clock {
    /// Starts after `first_step` steps of `steps` were done in earlier sessions.
    pub fn start(first_step: usize, steps: usize) -> Self {
        let now = Instant::now();
        Self {
            started: now,
            last: now,
            first_step,
            steps,
        }
    }

    /// The report of a step that has just ended.
    pub fn report(&mut self, step: usize, gradient: &StepGradient, update: Update) -> StepReport {
        let now = Instant::now();
        // The clock may be too coarse to see a short step.
        let seconds_of_step = (now - self.last).as_secs_f64().max(1e-9);
        let seconds = (now - self.started).as_secs_f64();
        self.last = now;
        let done = (step - self.first_step) as f64;
        StepReport {
            step,
            steps: self.steps,
            loss: gradient.loss,
            accuracy: gradient
                .correct
                .map(|correct| correct as f64 / gradient.counted as f64),
            learning_rate: update.learning_rate,
            gradient_norm: update.gradient_norm,
            loss_scale: update.loss_scale,
            skipped: update.skipped,
            counted: gradient.counted,
            samples: gradient.samples,
            tokens: gradient.tokens,
            samples_per_second: gradient.samples as f64 / seconds_of_step,
            tokens_per_second: gradient.tokens as f64 / seconds_of_step,
            seconds,
            seconds_left: seconds / done * (self.steps - step) as f64,
        }
    }
}
