//! The autoencoder of Stable Diffusion.

mod attention;
mod coder;
mod config;
mod distribution;
mod keys;
mod levels;
mod model;
mod tiling;

pub use attention::LatentAttention;
pub use coder::{Decoder, Encoder};
pub use config::VaeConfig;
pub use distribution::LatentDistribution;
pub use keys::checkpoint_keys;
pub use levels::{DecoderLevel, EncoderLevel, LatentMidBlock};
pub use model::AutoencoderKl;
pub use tiling::Tiling;
