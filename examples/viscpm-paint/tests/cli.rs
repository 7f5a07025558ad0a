//! The program as a user meets it: arguments, files, streams and exit codes.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a test fails by panicking and reports by printing"
)]

#[path = "cli/batch.rs"]
mod batch;
#[path = "cli/checkpoints.rs"]
mod checkpoints;
#[path = "cli/checks.rs"]
mod checks;
#[path = "cli/files.rs"]
mod files;
#[path = "cli/pictures.rs"]
mod pictures;
#[path = "cli/repeat.rs"]
mod repeat;
#[path = "cli/sandbox.rs"]
mod sandbox;
#[cfg(unix)]
#[path = "cli/signals.rs"]
mod signals;
#[path = "cli/stable_diffusion.rs"]
mod stable_diffusion;
mod tiny;
#[path = "cli/usage.rs"]
mod usage;
