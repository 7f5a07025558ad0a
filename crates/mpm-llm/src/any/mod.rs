//! A language model chosen by a configuration.
//!
//! | configuration | model |
//! |---|---|
//! | has a `model_type`, as the `config.json` of Hugging Face | [the LLaMA family](crate::llama) |
//! | has none | [CPM-Bee](crate::cpm_bee) |
//!
//! [`AnyLlm`] is the model, [`AnyTokenizer`] what it takes to read and write text, [`AnyChat`] a
//! conversation, [`AnyDialogue`] one to train on.

mod chat;
mod config;
mod dialogue;
mod model;
mod template;
mod tokenizer;

pub use chat::AnyChat;
pub use config::{AnyLlmConfig, LlamaConfigFile};
pub use dialogue::{AnyDialogue, AnyInput};
pub use model::AnyLlm;
pub use tokenizer::AnyTokenizer;
