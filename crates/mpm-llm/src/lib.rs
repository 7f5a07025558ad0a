//! Language models that accept embeddings: CPM-Bee and the LLaMA family, tokenizers, prompts, cache and
//! decoding, on Burn

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
