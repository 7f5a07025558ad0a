//! CLIP's vision transformer and what is built on it: a check of pictures against unwanted
//! concepts, and a score for how well pictures fit a text.
//!
//! Sources: CLIP (<https://arxiv.org/abs/2103.00020>), Chinese-CLIP
//! (<https://arxiv.org/abs/2211.01335>), `models/clip` and `models/chinese_clip` of Hugging Face's
//! `transformers`, and `pipelines/stable_diffusion/safety_checker.py` of `diffusers`.
//!
//! [`SafetyChecker`] and [`ChineseClipVision`] are read from the folders in which their models are
//! published. Texts are embedded elsewhere: the two towers of Chinese-CLIP meet as tensors.

mod attention;
mod chinese_clip;
mod concepts;
mod config;
mod embedding;
mod encoder;
mod safety_checker;
mod similarity;
mod vision_model;

pub use attention::ClipAttention;
pub use chinese_clip::{ChineseClipVision, rank};
pub use concepts::{ConceptHit, SafetyReport};
pub use config::{Activation, ClipConfig, ClipVisionConfig, MAX_IMAGE_SIZE};
pub use embedding::ClipVisionEmbeddings;
pub use encoder::{ClipEncoder, ClipEncoderLayer, ClipMlp};
pub use safety_checker::{NUM_CONCEPTS, NUM_SPECIAL_CARE, SafetyChecker};
pub use similarity::cosine_similarity;
pub use vision_model::{ClipVision, ClipVisionOutput};
