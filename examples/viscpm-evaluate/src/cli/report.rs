//! Where figures go.

use std::path::Path;

use mpm_core::atomic;
use serde::Serialize;
use viscpm_common::cli::{BoxError, show};
use viscpm_evaluate::EvaluateError;

/// Finds out whether a file could be written, before the work that leads to it.
pub fn probe(json: Option<&Path>) -> Result<(), EvaluateError> {
    json.map_or(Ok(()), |file| {
        atomic::probe(file, 0).map_err(|source| failed(file, source))
    })
}

/// Shows a table, and writes the figures to a file if there shall be one.
pub fn report(table: &str, json: Option<&Path>, figures: &impl Serialize) -> Result<(), BoxError> {
    if let Some(file) = json {
        let text = serde_json::to_string_pretty(figures)? + "\n";
        let written = atomic::write_bytes(file, text.as_bytes());
        written.map_err(|source| failed(file, source))?;
    }
    show(table)?;
    Ok(())
}

fn failed(file: &Path, source: std::io::Error) -> EvaluateError {
    EvaluateError::Write {
        path: file.to_owned(),
        source,
    }
}
