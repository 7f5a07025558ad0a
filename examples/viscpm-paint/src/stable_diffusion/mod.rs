//! Stable Diffusion 1.5 and 2.1 with their own text encoders: what VisCPM-Paint is compared with.
//!
//! "High-Resolution Image Synthesis with Latent Diffusion Models",
//! <https://arxiv.org/abs/2112.10752>. UNet, autoencoder, samplers and all around them are those of
//! VisCPM-Paint; only the prompt is read by CLIP, without a trans block.

mod config;
mod folder;
mod model;
mod prompt;
mod source;
mod text_encoder;

pub use config::StableDiffusionConfig;
pub(crate) use folder::INDEX_FILE;
pub use model::StableDiffusion;
pub use prompt::ClipPrompts;
pub use source::StableDiffusionSource;
pub use text_encoder::ClipPromptEncoder;
