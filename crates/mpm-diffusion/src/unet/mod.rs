//! The UNet of Stable Diffusion.

mod attention;
mod condition;
mod config;
mod feed_forward;
mod keys;
mod levels;
mod model;
mod text;
mod time_embedding;
mod transformer;

pub use attention::{Attention, KeyValue};
pub use config::{DownBlockType, PerLevel, UNetConfig, UpBlockType};
pub use feed_forward::{FeedForward, GeGlu};
pub use keys::checkpoint_keys;
pub use levels::{DownBlock, MidBlock, UpBlock};
pub use model::{UNet2DConditionModel, UNetLevel};
pub use text::TextStates;
pub use time_embedding::{TimestepEmbedding, timestep_embedding};
pub use transformer::{BasicTransformerBlock, PixelProjection, Transformer2D};
