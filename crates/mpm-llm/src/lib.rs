//! Language models that accept embeddings: CPM-Bee and the LLaMA family, tokenizers, prompts, cache and
//! decoding, on Burn

pub mod any;
pub mod bert;
pub mod cache;
mod check;
pub mod clip;
pub mod cpm_bee;
pub mod decoding;
pub mod dialogue;
pub mod error;
mod family;
mod framed;
mod language_model;
pub mod llama;
pub mod prompt;
mod special_token;
pub mod splice;
pub mod template;
pub mod tokenizer;

pub use error::LlmError;
pub use family::Family;
pub use language_model::LanguageModel;
