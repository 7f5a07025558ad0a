//! Files of step reports: JSON lines and CSV.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use mpm_core::atomic;
use serde_json::Value;

use crate::report::{Callback, StepReport};
use crate::{BoxError, TrainError};

/// How a [`StepReport`] becomes a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    JsonLines,
    Csv,
}

/// A [`Callback`] that appends each report to a file.
///
/// When a run resumes at some step, the file's lines up to this step are kept and
/// later ones, of steps that will be taken again, are dropped; so a new run
/// starts with an empty file.
#[derive(Debug)]
pub struct MetricsWriter {
    path: PathBuf,
    format: Format,
    file: Option<File>,
}

impl MetricsWriter {
    /// Writes one JSON object a line.
    pub fn json_lines(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            format: Format::JsonLines,
            file: None,
        }
    }

    /// Writes comma-separated values with a header; a missing value is empty.
    pub fn csv(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            format: Format::Csv,
            file: None,
        }
    }

    fn append(&mut self, report: &StepReport) -> Result<(), TrainError> {
        let fields = serde_json::to_value(report).map_err(TrainError::json(&self.path))?;
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(open_to_append(&self.path)?),
        };
        let mut text = String::new();
        if self.format == Format::Csv && is_empty(file, &self.path)? {
            text.push_str(&csv_line(&fields, |name, _| name.to_owned()));
        }
        text.push_str(&match self.format {
            Format::JsonLines => format!("{fields}\n"),
            Format::Csv => csv_line(&fields, |_, value| match value {
                Value::Null => String::new(),
                value => value.to_string(),
            }),
        });
        // One write a line, so that a killed run leaves at most one half line.
        file.write_all(text.as_bytes())
            .map_err(TrainError::io("write", &self.path))
    }

    /// Drops the lines of steps after `step`, and a last line without an end.
    fn keep_until(&self, step: usize) -> Result<(), TrainError> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(TrainError::io("read", &self.path)(error)),
        };
        let kept: String = text
            .split_inclusive('\n')
            .filter(|line| line.ends_with('\n'))
            .enumerate()
            .filter(|(index, line)| match self.format {
                Format::Csv if *index == 0 => step > 0,
                format => line_step(format, line).is_some_and(|of_line| of_line <= step),
            })
            .map(|(_, line)| line)
            .collect();
        if kept.len() == text.len() {
            return Ok(());
        }
        atomic::write_bytes(&self.path, kept.as_bytes())
            .map_err(TrainError::io("replace", &self.path))
    }
}

impl<M> Callback<M> for MetricsWriter {
    fn on_start(&mut self, step: usize) -> Result<(), BoxError> {
        self.file = None;
        Ok(self.keep_until(step)?)
    }

    fn on_step(&mut self, report: &StepReport, _model: &M) -> Result<ControlFlow<()>, BoxError> {
        self.append(report)?;
        Ok(ControlFlow::Continue(()))
    }
}

fn open_to_append(path: &Path) -> Result<File, TrainError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .map_err(TrainError::io("open", path))
}

fn is_empty(file: &File, path: &Path) -> Result<bool, TrainError> {
    let metadata = file.metadata().map_err(TrainError::io("inspect", path))?;
    Ok(metadata.len() == 0)
}

fn csv_line(fields: &Value, cell: impl Fn(&str, &Value) -> String) -> String {
    let cells: Vec<String> = fields
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| cell(name, value))
        .collect();
    cells.join(",") + "\n"
}

fn line_step(format: Format, line: &str) -> Option<usize> {
    match format {
        Format::JsonLines => {
            let fields: Value = serde_json::from_str(line).ok()?;
            fields.get("step")?.as_u64()?.try_into().ok()
        }
        // `step` is the report's first field.
        Format::Csv => line.split(',').next()?.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::metrics::tests::report;

    fn session(mut writer: MetricsWriter, done: usize, steps: impl Iterator<Item = usize>) {
        Callback::<()>::on_start(&mut writer, done).unwrap();
        for step in steps {
            let flow = writer.on_step(&report(step), &()).unwrap();
            assert!(flow.is_continue());
        }
    }

    #[test]
    fn json_lines_continue_where_the_run_resumes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        session(MetricsWriter::json_lines(&path), 0, 1..=5);
        // A run killed while it wrote leaves half a line.
        let mut text = fs::read_to_string(&path).unwrap();
        text.push_str("{\"step\":6,\"lo");
        fs::write(&path, text).unwrap();
        session(MetricsWriter::json_lines(&path), 3, 4..=6);

        let text = fs::read_to_string(&path).unwrap();
        let reports: Vec<StepReport> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(reports, (1..=6).map(report).collect::<Vec<_>>());
    }

    #[test]
    fn csv_has_one_header_however_often_the_run_resumes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        session(MetricsWriter::csv(&path), 0, 1..=3);
        session(MetricsWriter::csv(&path), 2, 3..=4);
        let text = fs::read_to_string(&path).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].starts_with("step,steps,loss,accuracy,"));
        let steps: Vec<_> = lines[1..].iter().map(|line| &line[..2]).collect();
        assert_eq!(steps, ["1,", "2,", "3,", "4,"]);
        assert_eq!(lines[1], "1,9,0.5,,0.001,2.0,,false,3,4,5,6.0,7.0,8.0,9.0");
    }

    #[test]
    fn a_step_that_was_skipped_comes_back_without_its_norm() {
        let folder = tempfile::tempdir().unwrap();
        let skipped = StepReport {
            gradient_norm: None,
            skipped: true,
            ..report(1)
        };
        let path = folder.path().join("metrics.jsonl");
        let mut writer = MetricsWriter::json_lines(&path);
        assert!(writer.on_step(&skipped, &()).unwrap().is_continue());
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(serde_json::from_str::<StepReport>(&text).unwrap(), skipped);

        let path = folder.path().join("metrics.csv");
        let mut writer = MetricsWriter::csv(&path);
        assert!(writer.on_step(&skipped, &()).unwrap().is_continue());
        let text = fs::read_to_string(&path).unwrap();
        let line = text.lines().nth(1).unwrap();
        assert_eq!(line, "1,9,0.5,,0.001,,,true,3,4,5,6.0,7.0,8.0,9.0");
    }

    #[test]
    fn a_new_run_starts_with_an_empty_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.csv");
        session(MetricsWriter::csv(&path), 0, 1..=3);
        session(MetricsWriter::csv(&path), 0, 1..=1);
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_folder_that_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = MetricsWriter::csv(folder.path().join("absent/metrics.csv"));
        let error = writer.on_step(&report(1), &()).unwrap_err().to_string();
        assert!(error.contains("metrics.csv"), "{error}");
    }
}
