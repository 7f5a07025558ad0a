#![doc = include_str!("../README.md")]

pub mod attention;
pub mod beit3;
mod check;
pub mod clip;
pub mod config;
pub mod connector;
pub mod embedding;
pub mod encoder;
mod error;
mod feature_selection;
pub mod feed_forward;
pub mod inception;
mod init;
mod interpolation;
pub mod muffin;
pub mod multiway;
mod normalised_stem;
pub mod packed_attention;
mod picture_encoder;
pub mod siglip;
mod stem;
pub mod visual_module;

pub use beit3::Beit3;
pub use config::{Beit3Config, MuffinConfig};
pub use error::VisionError;
pub use feature_selection::{FeatureSelection, SelectStrategy};
pub use interpolation::{PositionResize, interpolate_positions};
pub use muffin::{Muffin, UNUSED_KEYS};
pub use normalised_stem::{NormalisedBlock, NormalisedStem};
pub use picture_encoder::PictureEncoder;
pub use stem::ConvStem;
pub use visual_module::{VisualModule, VisualModuleConfig};
