//! The run's curves for TensorBoard.

use std::ops::ControlFlow;
use std::path::PathBuf;

use super::EventFile;
use crate::report::{Callback, StepReport};
use crate::{BoxError, TrainError};

/// A [`Callback`] that writes the figures of each step into a folder of TensorBoard's event
/// files: `train/loss`, `train/accuracy`, `train/learning_rate`, `train/gradient_norm`,
/// `train/samples_per_second` and, in f16, `train/loss_scale`. What a step does not have, such as
/// the norm of a gradient that overflowed, is left out.
///
/// A resumed run adds a file to the folder; TensorBoard shows both as one curve, in which the
/// steps that were taken again replace the earlier ones. A new run in the folder of an old one
/// replaces it whole.
#[derive(Debug)]
pub struct TensorBoardWriter {
    folder: PathBuf,
    first_step: usize,
    events: Option<EventFile>,
}

impl TensorBoardWriter {
    /// Writes into a folder, which is made if it is not there.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
            first_step: 1,
            events: None,
        }
    }

    fn append(&mut self, report: &StepReport) -> Result<(), TrainError> {
        let events = match &mut self.events {
            Some(events) => events,
            None => {
                let events = EventFile::create(&self.folder, self.first_step)?;
                self.events.insert(events)
            }
        };
        let values = [
            ("train/loss", Some(report.loss)),
            ("train/accuracy", report.accuracy),
            ("train/learning_rate", Some(report.learning_rate)),
            ("train/gradient_norm", report.gradient_norm),
            ("train/loss_scale", report.loss_scale),
            ("train/samples_per_second", Some(report.samples_per_second)),
        ];
        let values = values.into_iter();
        let values = values.filter_map(|(tag, value)| value.map(|value| (tag, value)));
        events.scalars(report.step, values)
    }
}

impl<M> Callback<M> for TensorBoardWriter {
    fn on_start(&mut self, step: usize) -> Result<(), BoxError> {
        self.first_step = step + 1;
        self.events = None;
        Ok(())
    }

    fn on_step(&mut self, report: &StepReport, _model: &M) -> Result<ControlFlow<()>, BoxError> {
        self.append(report)?;
        Ok(ControlFlow::Continue(()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use std::fs;

    use super::*;
    use crate::metrics::event_file::tests::scalars;
    use crate::metrics::tests::report;

    fn session(folder: &std::path::Path, done: usize, steps: impl Iterator<Item = usize>) {
        let mut writer = TensorBoardWriter::new(folder);
        Callback::<()>::on_start(&mut writer, done).unwrap();
        for step in steps {
            let report = StepReport {
                loss: done as f64,
                accuracy: (done > 0).then_some(0.5),
                gradient_norm: (step != 2).then_some(1.0),
                ..report(step)
            };
            assert!(writer.on_step(&report, &()).unwrap().is_continue());
        }
    }

    /// What TensorBoard keeps of a value: later files replace steps that they take again.
    fn curve(folder: &std::path::Path, tag: &str) -> Vec<(i64, f32)> {
        let files = fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        let mut curve = Vec::new();
        for file in files {
            let (start, scalars) = scalars(&file);
            curve.retain(|&(step, _)| step < start);
            let of_tag = scalars.into_iter().filter(|(_, name, _)| name == tag);
            curve.extend(of_tag.map(|(step, _, value)| (step, value)));
        }
        curve
    }

    #[test]
    fn a_resumed_run_replaces_the_steps_that_it_takes_again() {
        let folder = tempfile::tempdir().unwrap();
        session(folder.path(), 0, 1..=4);
        session(folder.path(), 2, 3..=5);
        assert_eq!(
            curve(folder.path(), "train/loss"),
            [(1, 0.0), (2, 0.0), (3, 2.0), (4, 2.0), (5, 2.0)]
        );
        // An objective without an accuracy has no such curve.
        assert_eq!(
            curve(folder.path(), "train/accuracy"),
            [(3, 0.5), (4, 0.5), (5, 0.5)]
        );
        // A step whose gradient overflowed is left out.
        let norms = curve(folder.path(), "train/gradient_norm");
        let steps: Vec<_> = norms.iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, [1, 3, 4, 5]);
    }

    #[test]
    fn a_new_run_in_the_folder_of_an_old_one_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        session(folder.path(), 0, 1..=4);
        session(folder.path(), 0, 1..=1);
        assert_eq!(curve(folder.path(), "train/loss"), [(1, 0.0)]);
    }
}
