//! Latent diffusion conditioned on the hidden states of a multilingual language
//! model: the decoder half of VisCPM-Paint (paper, section 3.4).
//!
//! Hidden states pass the [`TransBlock`] and become the text that the
//! [`unet::UNet2DConditionModel`] reads while it removes noise from latents, which the
//! [`vae::AutoencoderKl`] turns into a picture. None of them knows which language model the
//! states come from.

mod block;
mod error;
mod latent_diffusion;
pub mod noise;
pub mod pipeline;
pub mod schedule;
mod sizes;
mod trans_block;
pub mod unet;
pub mod vae;

pub use block::{Downsample2D, ResnetBlock2D, Upsample2D};
pub use error::DiffusionError;
pub use latent_diffusion::LatentDiffusion;
pub use trans_block::TransBlock;
