//! The loss of an autoencoder.
//!
//! Source: "High-Resolution Image Synthesis with Latent Diffusion Models",
//! <https://arxiv.org/abs/2112.10752>, appendix G, without its discriminator and perceptual
//! loss, which need networks trained on photographs.

use burn::tensor::{DType, Tensor};
use mpm_core::MpmBackend;
use mpm_diffusion::vae::AutoencoderKl;
use serde::{Deserialize, Serialize};

use crate::{BoxError, LossOutput};

/// How an autoencoder is trained.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutoencoderLossConfig {
    /// The weight of the latents' divergence from the standard normal distribution, in nats
    /// for each latent value, beside the mean absolute error of the pixels.
    pub kl_weight: f64,
    /// The weight of the mean absolute error of the differences between neighbouring pixels,
    /// which keeps edges sharp.
    pub edge_weight: f64,
}

impl AutoencoderLossConfig {
    /// The loss of encoding pictures and decoding a sample.
    ///
    /// # Shapes
    /// - pixels: `[batch, channels, height, width]` in -1..1
    /// - noise: standard normal, `[batch, latent_channels, height / f, width / f]`
    ///
    /// # Errors
    /// [`mpm_diffusion::DiffusionError::Shape`] when the pictures do not suit the autoencoder.
    pub fn loss<B: MpmBackend>(
        self,
        vae: &AutoencoderKl<B>,
        pixels: Tensor<B, 4>,
        noise: Tensor<B, 4>,
    ) -> Result<LossOutput<B>, BoxError> {
        let [batch, _, height, width] = pixels.dims();
        let latents = vae.encode(pixels.clone())?;
        let values = latents.mean.dims()[1..].iter().product::<usize>();
        let divergence = latents.kl_divergence().mean() / values as f64;
        let decoded = vae.decode(latents.sample(noise))?;
        let error = (decoded - pixels).cast(DType::F32);
        let down = error.clone().narrow(2, 1, height - 1) - error.clone().narrow(2, 0, height - 1);
        let across = error.clone().narrow(3, 1, width - 1) - error.clone().narrow(3, 0, width - 1);
        let edges = down.abs().mean() + across.abs().mean();
        Ok(LossOutput {
            loss: error.abs().mean()
                + edges * self.edge_weight
                + divergence.cast(DType::F32) * self.kl_weight,
            counted: batch,
            correct: None,
            samples: batch,
            tokens: batch * height * width,
        })
    }
}
