//! Prompts: from a tree of texts to the arrays that a model reads.
//!
//! A CPM-Bee prompt is a tree ([`PromptValue`]) whose keys and texts are *segments*; attention
//! knows how far apart two segments are in the tree. Below the key `<ans>` are the texts to
//! predict, below `image` the slots that picture features take the place of.
//!
//! - [`PromptEncoder`] turns a prompt into an [`EncodedPrompt`].
//! - [`Collator`] makes a [`TrainingBatch`] of encoded prompts with their answers.
//! - [`InferenceBatch`] holds prompts whose answers are to be found.
//! - [`Conversation`] makes a prompt of several turns that fits a limit.
//!
//! Source: VisCPM, `finetune/dataset/bee.py`, `VisCPM/utils/utils.py` and
//! `VisCPM/generation/vllm_bee.py`.

mod collator;
mod conversation;
mod encoding;
mod inference;
mod tree;
mod value;

pub use collator::{Collator, IGNORE_INDEX, TrainingBatch};
pub use conversation::{Conversation, FittedPrompt, PromptLimits, Turn};
pub use encoding::{EncodedPrompt, ExtState, PromptEncoder};
pub use inference::{InferenceBatch, InferenceInput, InferenceRow};
pub use tree::{DEFAULT_MAX_DEPTH, MAX_NESTING, MAX_SEGMENTS, relation_bucket};
pub use value::PromptValue;

/// The key, directly below the root, of the texts to predict.
pub const ANSWER_KEY: &str = "<ans>";

/// The key, directly below the root, of the slots for pictures.
pub const PICTURE_KEY: &str = "image";
