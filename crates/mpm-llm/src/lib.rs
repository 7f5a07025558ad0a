//! Language models that accept embeddings: CPM-Bee, its tokenizer, prompts, cache and decoding, on Burn

pub mod bert;
pub mod cache;
mod check;
pub mod clip;
pub mod cpm_bee;
pub mod decoding;
pub mod error;
mod framed;
pub mod llama;
pub mod prompt;
mod special_token;
pub mod splice;
pub mod tokenizer;

pub use error::LlmError;
