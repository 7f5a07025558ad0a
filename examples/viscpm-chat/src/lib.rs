//! VisCPM-Chat: ask about a picture, in any language that the model knows.
//!
//! This crate assembles `mpm-vision` and `mpm-llm` into the chat model of the
//! paper "Large Multilingual Models Pivot Zero-Shot Multimodal Learning across
//! Languages" (<https://arxiv.org/abs/2308.12038>): the features of Muffin take
//! the place of 64 tokens in CPM-Bee's prompt. A [`VisCpmChatConfig`] may name other parts instead:
//! a model of the LLaMA family, another picture encoder.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//!
//! use burn::backend::Flex;
//! use mpm_core::weights::LoadOptions;
//! use mpm_data::picture::Picture;
//! use viscpm_chat::{ChatModel, ChatSession};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let options = LoadOptions::default();
//! let model = ChatModel::<Flex>::open("models/viscpm-chat-emoji", &Default::default(), &options)?;
//! let mut session = ChatSession::new(&model)?;
//! session.show(&Picture::open("cat.png")?)?;
//! let answer = session.ask("What is this?", &model.config.decoding, |_| ControlFlow::Continue(()))?;
//! assert!(!answer.answer.is_empty());
//! # Ok(())
//! # }
//! ```

mod assemble;
mod config;
mod convert;
mod error;
mod folder;
mod model;
pub mod options;
mod session;

pub use assemble::{VisualSource, assemble};
pub use config::VisCpmChatConfig;
pub use convert::convert;
pub use error::ChatError;
pub use folder::{ChatModel, FORMAT_VERSION, ModelConfig};
pub use model::{VisCpmChat, checkpoint_keys, stack_pictures};
pub use mpm_core::model_folder::CONFIG_FILE;
pub use session::{Answer, ChatSession};
pub use viscpm_common::PictureCheck;

/// The example in the workspace's README, so that it stays true.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
