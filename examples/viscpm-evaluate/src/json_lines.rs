//! Files of data, one JSON object a line.

use std::path::Path;

use serde::de::DeserializeOwned;
use viscpm_common::cli::lines::{Lines, parse};

use crate::{EvaluateError, LineError};

/// All objects of a file with the numbers of their lines, counted from 1. Empty lines are skipped.
///
/// # Errors
/// [`EvaluateError::Open`], [`EvaluateError::Read`], [`EvaluateError::Line`].
pub(crate) fn read<T: DeserializeOwned>(file: &Path) -> Result<Vec<(usize, T)>, EvaluateError> {
    let mut lines = Lines::open(file).map_err(EvaluateError::Open)?;
    let mut entries = Vec::new();
    loop {
        let next = lines.next_line().map_err(|source| EvaluateError::Read {
            path: file.to_owned(),
            source,
        })?;
        let Some((line, text)) = next else {
            return Ok(entries);
        };
        let entry = parse(text).map_err(|reason| EvaluateError::Line {
            file: file.to_owned(),
            line,
            source: Box::new(LineError::Syntax { reason }),
        })?;
        entries.push((line, entry));
    }
}
