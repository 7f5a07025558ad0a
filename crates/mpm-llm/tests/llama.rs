//! The LLaMA family: parity with `transformers`, and what a user meets.
#![allow(clippy::unwrap_used, missing_docs, reason = "tests fail by panicking")]

#[path = "llama/chat.rs"]
mod chat;
#[path = "llama/chat_template.rs"]
mod chat_template;
#[path = "llama/dialogue.rs"]
mod dialogue;
#[path = "llama/folder.rs"]
mod folder;
#[path = "llama/generation.rs"]
mod generation;
#[path = "llama/keys.rs"]
mod keys;
#[path = "llama/model.rs"]
mod model;
#[path = "llama/rope.rs"]
mod rope;
#[path = "llama/template.rs"]
mod template;
#[path = "llama/tokenizer.rs"]
mod tokenizer;
#[path = "llama/training.rs"]
mod training;
