//! The assembled model against the reference implementation.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a test fails by panicking and reports by printing"
)]

#[path = "parity/checkpoints.rs"]
mod checkpoints;
#[path = "parity/common.rs"]
mod common;
#[path = "parity/keys.rs"]
mod keys;
#[path = "parity/training.rs"]
mod training;
