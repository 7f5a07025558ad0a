//! CLIP's vision transformer and what is built on it: a check of pictures against unwanted
//! concepts, and a score for how well pictures fit a text.
//!
//! Sources: CLIP (<https://arxiv.org/abs/2103.00020>), Chinese-CLIP
//! (<https://arxiv.org/abs/2211.01335>), `models/clip` and `models/chinese_clip` of Hugging Face's
//! `transformers`, and `pipelines/stable_diffusion/safety_checker.py` of `diffusers`.
//!
//! [`SafetyChecker`] and [`ClipVisionTower`], the picture side of CLIP and of Chinese-CLIP, are read
//! from the folders in which their models are published. Texts are embedded elsewhere: the two
//! towers meet as tensors.

mod concepts;
mod config;
mod embedding;
mod safety_checker;
mod similarity;
mod vision_model;
mod vision_tower;

pub use crate::check::MAX_IMAGE_SIZE;
pub use concepts::{ConceptHit, SafetyReport};
pub use config::{ClipConfig, ClipVisionConfig};
pub use embedding::ClipVisionEmbeddings;
pub use mpm_core::nn::clip::{Activation, ClipAttention, ClipEncoder, ClipEncoderLayer, ClipMlp};
pub use safety_checker::{NUM_CONCEPTS, NUM_SPECIAL_CARE, SafetyChecker};
pub use similarity::cosine_similarity;
pub(crate) use vision_model::CLASS_TOKENS;
pub use vision_model::{ClipVision, ClipVisionOutput};
pub use vision_tower::{ChineseClipVision, ClipVisionTower, rank};
