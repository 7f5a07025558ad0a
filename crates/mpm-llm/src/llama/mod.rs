//! The LLaMA family: LLaMA 2 and 3, Mistral, Qwen 2 and 3, MiniCPM.
//!
//! - [`LlamaConfig`] reads a model's `config.json`, [`Llama`] is the model
//! - [`Llama::forward`] is the whole pass for training
//! - [`Llama::infer`] reads a prompt once, then one token at a time, with the keys and values in a
//!   [`LlamaState`]
//! - [`LlamaSession`] is for [`generate`](crate::decoding::generate())
//! - [`PretrainedLlama`] is a model with its [`LlamaText`], from a folder of Hugging Face's;
//!   [`LlamaChat`] is a conversation with it, [`LlamaDialogue`] one to train on
//! - all work on embeddings, so that [`splice`](crate::splice) can put pictures into the text
//!
//! Sources: LLaMA (<https://arxiv.org/abs/2302.13971>), `models/{llama,mistral,qwen2,qwen3}` of
//! Hugging Face's `transformers`, and `modeling_minicpm.py` of the published MiniCPM models.

mod attention;
mod chat;
mod chat_template;
mod config;
mod config_file;
mod context;
mod date;
mod dialogue;
mod embedding;
mod folder;
mod inference;
mod input;
mod language_model;
mod layer;
mod mlp;
mod model;
mod python_json;
mod rope;
mod rope_config;
mod session;
mod template;
mod text;
mod tokenizer;

pub use attention::LlamaAttention;
pub use chat::LlamaChat;
pub use chat_template::{ChatMessage, ChatOptions, ChatTemplate};
pub use config::LlamaConfig;
pub use context::LayerContext;
pub use dialogue::LlamaDialogue;
pub use embedding::TokenTable;
pub use folder::PretrainedLlama;
pub use inference::LlamaState;
pub use input::LlamaInput;
pub use language_model::LlamaBatch;
pub use layer::LlamaLayer;
pub use mlp::LlamaMlp;
pub use model::{Llama, LlamaModel, LlamaOutput};
pub use rope::Rotation;
pub use rope_config::{RopeConfig, RopeScaling};
pub use session::LlamaSession;
pub use text::LlamaText;
pub use tokenizer::LlamaTokenizer;
