//! From a text's hidden states to latents.

mod denoise;
mod guidance;

pub use denoise::{Denoising, DenoisingProgress, Start};
pub use guidance::GuidedText;
