//! VisCPM-Chat: ask about a picture, in English or Chinese.
//!
//! This crate assembles `mpm-vision` and `mpm-llm` into the chat model of the
//! paper "Large Multilingual Models Pivot Zero-Shot Multimodal Learning across
//! Languages" (<https://arxiv.org/abs/2308.12038>): the features of Muffin take
//! the place of 64 tokens in CPM-Bee's prompt.

mod error;
mod folder;
mod model;

pub use error::ChatError;
pub use folder::{CONFIG_FILE, ChatModel, FORMAT_VERSION, ModelConfig};
pub use model::{VisCpmChat, VisCpmChatConfig, checkpoint_keys};
