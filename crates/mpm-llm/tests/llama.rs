//! The LLaMA family: parity with `transformers`, and what a user meets.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

#[path = "llama/generation.rs"]
mod generation;
#[path = "llama/keys.rs"]
mod keys;
#[path = "llama/model.rs"]
mod model;
#[path = "llama/rope.rs"]
mod rope;
#[path = "llama/training.rs"]
mod training;
