//! CPM-Bee: the bilingual language model of VisCPM.
//!
//! - [`CpmBeeConfig`] says how large a model is, [`CpmBee`] is the model
//! - [`CpmBee::forward`] is the whole pass for training
//! - [`CpmBee::infer`] reads a prompt once, then one token at a time, with the
//!   keys and values in an [`InferenceState`]
//! - [`CpmBeeChat`] is a conversation, [`CpmBeeDialogue`] one to train on
//! - all work on embeddings, so that [`splice_features`] can put pictures into
//!   the text
//!
//! Source: `VisCPM/models/cpmbee.py` and `VisCPM/models/modules/`.

mod attention;
mod attention_bias;
mod block;
mod chat;
mod config;
mod dialogue;
mod embedding;
mod feed_forward;
mod inference;
mod input;
mod language_model;
mod linear;
mod model;
mod position_bias;
mod prompts;
mod relation;
mod session;
mod template;

pub use attention::Attention;
pub use attention_bias::AttentionBias;
pub use block::{Encoder, FeedForwardBlock, SelfAttentionBlock, TransformerBlock};
pub use chat::CpmBeeChat;
pub use config::CpmBeeConfig;
pub use dialogue::CpmBeeDialogue;
pub use embedding::{ExtEmbedding, Rotary};
pub use feed_forward::{DenseGated, FeedForward};
pub use inference::InferenceState;
pub use input::{CpmBeeInput, CpmBeeStep};
pub use linear::ScaledLinear;
pub use model::{CpmBee, CpmBeeOutput};
pub use position_bias::{PositionBias, PositionBuckets};
pub use session::{AnswerTokens, CpmBeePrompt, CpmBeeSession};

pub use crate::splice::splice_features;
