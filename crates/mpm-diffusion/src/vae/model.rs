//! The autoencoder between pictures and the latents in which diffusion happens.
//!
//! Source: diffusers' `AutoencoderKL`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, nn::TorchConv2d};

use super::{
    VaeConfig,
    coder::{Decoder, Encoder},
    distribution::LatentDistribution,
};
use crate::DiffusionError;

/// The autoencoder of Stable Diffusion; made by [`VaeConfig::init`].
///
/// Parameters carry the names that diffusers gives them since 0.17; see
/// [`checkpoint_keys`](super::checkpoint_keys) for the older ones.
#[derive(Module, Debug)]
pub struct AutoencoderKl<B: Backend> {
    /// From pictures.
    pub encoder: Encoder<B>,
    /// To pictures.
    pub decoder: Decoder<B>,
    /// 1 × 1, behind the encoder.
    pub quant_conv: TorchConv2d<B>,
    /// 1 × 1, before the decoder.
    pub post_quant_conv: TorchConv2d<B>,
    scaling_factor: f64,
    shift_factor: f64,
    downsampling: usize,
}

impl VaeConfig {
    /// Makes a model with random weights, drawn as PyTorch draws them.
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<AutoencoderKl<B>, DiffusionError> {
        self.validate()?;
        let latents = self.latent_channels;
        Ok(AutoencoderKl {
            encoder: Encoder::new(self, device),
            decoder: Decoder::new(self, device),
            quant_conv: TorchConv2d::new([2 * latents; 2], 1, 1, 0, device),
            post_quant_conv: TorchConv2d::new([latents; 2], 1, 1, 0, device),
            scaling_factor: self.scaling_factor,
            shift_factor: self.shift_factor.unwrap_or(0.0),
            downsampling: self.downsampling(),
        })
    }
}

impl<B: Backend> AutoencoderKl<B> {
    /// Pixels per latent pixel, along a side.
    pub fn downsampling(&self) -> usize {
        self.downsampling
    }

    /// Channels of the latents.
    pub fn latent_channels(&self) -> usize {
        self.post_quant_conv.channels()[0]
    }

    /// From the autoencoder's latents to the UNet's.
    pub fn scale_latents(&self, latents: Tensor<B, 4>) -> Tensor<B, 4> {
        (latents - self.shift_factor) * self.scaling_factor
    }

    /// From the UNet's latents to the autoencoder's.
    pub fn unscale_latents(&self, latents: Tensor<B, 4>) -> Tensor<B, 4> {
        latents / self.scaling_factor + self.shift_factor
    }
}

impl<B: MpmBackend> AutoencoderKl<B> {
    /// Encodes pictures.
    ///
    /// # Shapes
    /// - pixels: `[batch, in_channels, height, width]` in -1..1; height and width are multiples
    ///   of [`downsampling`](Self::downsampling)
    ///
    /// # Errors
    /// [`DiffusionError::Shape`] for another shape.
    pub fn encode(&self, pixels: Tensor<B, 4>) -> Result<LatentDistribution<B>, DiffusionError> {
        let [_, channels, height, width] = pixels.dims();
        let expected = self.encoder.conv_in.channels()[0];
        let fits = |side: usize| side > 0 && side.is_multiple_of(self.downsampling);
        if channels != expected || !fits(height) || !fits(width) {
            return Err(DiffusionError::Shape {
                what: "pixels",
                expected: format!(
                    "[batch, {expected}, height, width] with sides that are multiples of {}",
                    self.downsampling
                ),
                found: pixels.dims().to_vec(),
            });
        }
        let moments = self.quant_conv.forward(self.encoder.forward(pixels));
        Ok(LatentDistribution::new(moments))
    }

    /// Decodes latents of the autoencoder's own scale (see
    /// [`unscale_latents`](Self::unscale_latents)).
    ///
    /// # Shapes
    /// - latents: `[batch, latent_channels, height, width]`
    /// - output: `[batch, out_channels, f · height, f · width]`, about -1..1
    ///
    /// # Errors
    /// [`DiffusionError::Shape`] for another shape.
    pub fn decode(&self, latents: Tensor<B, 4>) -> Result<Tensor<B, 4>, DiffusionError> {
        let [_, channels, height, width] = latents.dims();
        if channels != self.latent_channels() || height * width == 0 {
            return Err(DiffusionError::Shape {
                what: "latents",
                expected: format!("[batch, {}, height ≥ 1, width ≥ 1]", self.latent_channels()),
                found: latents.dims().to_vec(),
            });
        }
        Ok(self.decoder.forward(self.post_quant_conv.forward(latents)))
    }
}
