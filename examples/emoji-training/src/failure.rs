//! A program's last word.

use std::{error::Error, process::ExitCode};

use crate::BoxError;

/// Reports what went wrong and why, if anything did.
#[allow(clippy::print_stderr, reason = "this is a program's last word")]
pub fn exit_code(result: Result<(), BoxError>) -> ExitCode {
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    let error: &dyn Error = error.as_ref();
    eprintln!("error: {error}");
    let mut cause = error.source();
    while let Some(inner) = cause {
        eprintln!("  because: {inner}");
        cause = inner.source();
    }
    ExitCode::FAILURE
}
