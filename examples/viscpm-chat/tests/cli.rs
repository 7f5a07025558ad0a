//! The program as a user meets it: arguments, files, streams and exit codes.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a test fails by panicking and reports by printing"
)]

#[path = "cli/answers.rs"]
mod answers;
#[path = "cli/batch.rs"]
mod batch;
#[path = "cli/checkpoints.rs"]
mod checkpoints;
#[path = "parity/config.rs"]
mod config;
#[path = "cli/conversation.rs"]
mod conversation;
#[path = "cli/folders.rs"]
mod folders;
#[path = "cli/hub.rs"]
mod hub;
#[path = "cli/safety.rs"]
mod safety;
#[path = "cli/sandbox.rs"]
mod sandbox;
#[cfg(unix)]
#[path = "cli/signals.rs"]
mod signals;
#[path = "cli/usage.rs"]
mod usage;
