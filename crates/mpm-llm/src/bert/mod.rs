//! BERT, for what surrounds the painting of pictures: a check of prompts, and the texts' side of
//! choosing among candidates.
//!
//! Sources: BERT (<https://arxiv.org/abs/1810.04805>), Chinese-CLIP
//! (<https://arxiv.org/abs/2211.01335>), `models/bert` and `models/chinese_clip` of Hugging Face's
//! `transformers`, and VisCPM's `viscpm_paint.py`.
//!
//! [`PromptClassifier`] and [`ChineseClipTextEncoder`] are read from the folders in which their
//! models are published, tokenizer included.

mod attention;
mod chinese_clip;
mod classifier;
mod config;
mod embeddings;
mod encoder;
mod input;
mod model;
mod prompt_classifier;
mod tokenizer;
mod tokenizer_files;

pub use attention::{BertAttention, BertSelfAttention, BertSelfOutput};
pub use chinese_clip::{ChineseClipText, ChineseClipTextConfig, ChineseClipTextEncoder};
pub use classifier::BertClassifier;
pub use config::BertConfig;
pub use embeddings::BertEmbeddings;
pub use encoder::{BertEncoder, BertIntermediate, BertLayer, BertOutput};
pub use input::BertInput;
pub use model::{Bert, BertPooler};
pub use prompt_classifier::{
    BlockRule, Classification, LabelScore, PromptClassifier, PromptRefusal, PromptVerdict,
};
pub use tokenizer::{BertEncoding, BertTokenizer};
