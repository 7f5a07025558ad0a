//! Parity with the original implementation, block by block.
//!
//! `MPM_FIXTURES` names another folder of cases; every case of a known prefix runs.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

#[path = "parity/arrays.rs"]
mod arrays;
#[path = "parity/beam.rs"]
mod beam;
#[path = "parity/bert.rs"]
mod bert;
#[path = "parity/blocks.rs"]
mod blocks;
#[path = "parity/clip.rs"]
mod clip;
#[path = "parity/inputs.rs"]
mod inputs;
#[path = "parity/mask.rs"]
mod mask;
#[path = "parity/model.rs"]
mod model;
#[path = "parity/prompt.rs"]
mod prompt;
#[path = "parity/tokenizer.rs"]
mod tokenizer;
