//! The assembled model against the reference implementation.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

#[path = "parity/checkpoint.rs"]
mod checkpoint;
#[path = "parity/generation.rs"]
mod generation;
#[path = "parity/keys.rs"]
mod keys;
#[path = "parity/training.rs"]
mod training;
#[path = "parity/wrapper.rs"]
mod wrapper;
