//! CLIP's text encoder, which embeds texts for comparison with pictures and which painters such as
//! Stable Diffusion read their prompts with.
//!
//! Sources: CLIP (<https://arxiv.org/abs/2103.00020>) and `models/clip` of Hugging Face's
//! `transformers`.
//!
//! [`ClipTextEncoder`] is read from the folder in which a model is published, tokenizer included.
//! Its picture side is `mpm_vision::clip::ClipVisionTower`: the two meet as tensors.

mod config;
mod embeddings;
mod encoder;
mod end_of_text;
mod input;
mod model;
mod single_file;
mod tokenizer;
mod tower;
mod vocabulary;

pub use config::{ClipTextConfig, ClipTextTowerConfig};
pub use embeddings::ClipTextEmbeddings;
pub use encoder::ClipTextEncoder;
pub use end_of_text::EndOfText;
pub use input::ClipTextInput;
pub use model::{ClipText, ClipTextOutput};
pub use mpm_core::nn::clip::{Activation, ClipAttention, ClipEncoder, ClipEncoderLayer, ClipMlp};
pub use single_file::SingleFileEncoder;
pub use tokenizer::{ClipTextEncoding, ClipTokenizer};
pub use tower::ClipTextTower;
