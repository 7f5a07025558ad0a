//! The terminal's view of a run.

use std::{ops::ControlFlow, time::Duration};

use indicatif::{ProgressBar, ProgressStyle};
use mpm_train::{BoxError, Callback, StepReport};
use viscpm_common::cli::Interrupt;

/// Shows loss, learning rate, speed and time left; Ctrl-C ends the run with a checkpoint.
pub struct Progress {
    bar: ProgressBar,
    interrupt: Option<Interrupt>,
}

impl Progress {
    /// For a run of `steps` steps.
    pub fn new(steps: usize, interrupt: Option<Interrupt>) -> Self {
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::new(steps as u64).with_style(style);
        Self { bar, interrupt }
    }
}

impl<M> Callback<M> for Progress {
    fn on_start(&mut self, step: usize) -> Result<(), BoxError> {
        self.bar.set_position(step as u64);
        self.bar.reset_eta();
        self.bar.enable_steady_tick(Duration::from_secs(1));
        Ok(())
    }

    fn on_step(&mut self, report: &StepReport, _model: &M) -> Result<ControlFlow<()>, BoxError> {
        self.bar.set_position(report.step as u64);
        let accuracy = report
            .accuracy
            .map(|share| format!("{:.1} % right, ", 100.0 * share));
        self.bar.set_message(format!(
            "loss {:.4}, {}lr {:.2e}, {:.1} samples/s,",
            report.loss,
            accuracy.unwrap_or_default(),
            report.learning_rate,
            report.samples_per_second
        ));
        Ok(match &self.interrupt {
            Some(interrupt) => interrupt.flow(),
            None => ControlFlow::Continue(()),
        })
    }
}
