//! The transformer that both towers of CLIP are made of: patches of a picture see each other,
//! tokens of a text see those before them. SigLIP's picture side is made of the same layers.
//!
//! Sources: CLIP (<https://arxiv.org/abs/2103.00020>), SigLIP (<https://arxiv.org/abs/2303.15343>),
//! `models/clip` and `models/siglip` of Hugging Face's `transformers`.

mod activation;
mod attention;
mod encoder;

pub use activation::Activation;
pub use attention::ClipAttention;
pub use encoder::{ClipEncoder, ClipEncoderConfig, ClipEncoderLayer, ClipMlp};
