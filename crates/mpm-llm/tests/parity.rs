//! Parity with the original implementation, block by block.
//!
//! `MPM_FIXTURES` names another folder of cases; every case of a known prefix runs.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "tests fail by panicking and report their counts"
)]

#[path = "parity/beam.rs"]
mod beam;
#[path = "parity/blocks.rs"]
mod blocks;
#[path = "parity/common.rs"]
mod common;
#[path = "parity/model.rs"]
mod model;
#[path = "parity/prompt.rs"]
mod prompt;
#[path = "parity/tensors.rs"]
mod tensors;
#[path = "parity/tokenizer.rs"]
mod tokenizer;
