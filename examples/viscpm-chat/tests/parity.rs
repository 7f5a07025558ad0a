//! The assembled model against the reference implementation.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

#[path = "parity/checkpoints.rs"]
mod checkpoints;
#[path = "parity/config.rs"]
mod config;
#[path = "parity/input.rs"]
mod input;
#[path = "parity/keys.rs"]
mod keys;
#[path = "parity/training.rs"]
mod training;
