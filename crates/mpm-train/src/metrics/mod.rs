//! Files of what a run reports: JSON lines, CSV and TensorBoard's event files.

mod event_file;
mod lines;
mod tensorboard;

pub use event_file::EventFile;
pub use lines::MetricsWriter;
pub use tensorboard::TensorBoardWriter;

#[cfg(test)]
mod tests {
    use crate::StepReport;

    /// A report whose numbers can be told apart.
    pub(super) fn report(step: usize) -> StepReport {
        StepReport {
            step,
            steps: 9,
            loss: 0.5,
            accuracy: None,
            learning_rate: 1e-3,
            gradient_norm: Some(2.0),
            loss_scale: None,
            skipped: false,
            counted: 3,
            samples: 4,
            tokens: 5,
            samples_per_second: 6.0,
            tokens_per_second: 7.0,
            seconds: 8.0,
            seconds_left: 9.0,
        }
    }
}
