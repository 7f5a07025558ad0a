//! How failures are reported, and the exit codes that they lead to.

use std::{error::Error, io, process::ExitCode};

use super::{BoxError, note};

/// What shells report for a program that Ctrl-C ended.
pub const INTERRUPTED: u8 = 130;

/// What shells report for a program whose reader had enough.
const CLOSED_PIPE: u8 = 141;

/// The code of clap's own errors.
const USAGE: u8 = 2;

/// Reports what ended the program.
pub fn fail(error: BoxError) -> ExitCode {
    if is_closed_pipe(error.as_ref()) {
        return ExitCode::from(CLOSED_PIPE);
    }
    match error.downcast::<clap::Error>() {
        Ok(usage) => {
            // A closed standard error leaves nobody to tell.
            let _ = usage.print();
            ExitCode::from(USAGE)
        }
        Err(error) => {
            report(error.as_ref());
            ExitCode::FAILURE
        }
    }
}

/// Prints an error and what caused it.
pub fn report(error: &(dyn Error + 'static)) {
    note(&format!(
        "error: {}\n",
        reasons(error).join("\n  because: ")
    ));
}

/// An error and what caused it, without the repetitions of errors that quote
/// their source.
pub fn reasons(error: &(dyn Error + 'static)) -> Vec<String> {
    let mut reasons = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if !reasons.iter().any(|reason| reason.contains(&text)) {
            reasons.push(text);
        }
        cause = inner.source();
    }
    reasons
}

/// Whether nobody reads the results any more.
pub fn is_closed_pipe(error: &(dyn Error + 'static)) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
