//! Work of many steps.

use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};
use viscpm_common::cli::{BoxError, Interrupt, failure::INTERRUPTED, note};
use viscpm_evaluate::{
    EvaluateError,
    chat::{Ended, Watch},
};

/// A bar on standard error, if that is a terminal.
pub fn bar(count: usize, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} {eta} left");
    ProgressBar::new(count as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(what.to_owned())
}

/// Does work with a bar, which Ctrl-C breaks off: then it says so, and what can be done about it,
/// and returns an exit code.
pub fn watched(
    count: usize,
    what: &str,
    goes_on: &str,
    work: impl FnOnce(&Watch<'_>) -> Result<Ended, EvaluateError>,
) -> Result<Option<ExitCode>, BoxError> {
    let interrupt = Interrupt::install()?;
    let bar = bar(count, what);
    let ended = work(&Watch {
        flow: &|| interrupt.flow(),
        answered: &|| bar.inc(1),
    });
    let done = bar.position();
    bar.finish_and_clear();
    Ok(match ended? {
        Ended::Complete => None,
        Ended::BrokenOff => {
            note(&format!("stopped after {done} of {count}; {goes_on}\n"));
            Some(ExitCode::from(INTERRUPTED))
        }
    })
}
