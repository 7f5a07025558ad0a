//! SigLIP's vision transformer, also that of SigLIP 2 in its form of a fixed picture size.
//!
//! Sources: SigLIP (<https://arxiv.org/abs/2303.15343>), SigLIP 2
//! (<https://arxiv.org/abs/2502.14786>), `models/siglip` of Hugging Face's `transformers`.
//!
//! It is made of CLIP's layers ([`mpm_core::nn::clip`]), without a class token and with other
//! activations: a learned probe reads the patches instead.

mod config;
mod embeddings;
mod pooling_head;
mod vision_model;

pub use config::{SiglipConfig, SiglipVisionConfig};
pub use embeddings::SiglipVisionEmbeddings;
pub use pooling_head::SiglipPoolingHead;
pub use vision_model::{SiglipVision, SiglipVisionOutput};
