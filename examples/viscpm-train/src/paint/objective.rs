//! The diffusion loss of the paint model.

use burn::{
    backend::Autodiff,
    tensor::{DType, Tensor, TensorData},
};
use mpm_core::MpmBackend;
use mpm_diffusion::{LatentDiffusion, noise::NoiseSource, vae::AutoencoderKl};
use mpm_llm::LanguageModel;
use mpm_train::{
    BoxError, LossOutput, Objective,
    diffusion::{DiffusionLoss, DiffusionNoise},
};
use viscpm_paint::{TextEncoder, from_pictures};

use super::PaintBatch;

/// The draws of a sample's noise.
const LATENT_DRAW: u64 = 0;
const NOISE_DRAW: u64 = 1;
const OFFSET_DRAW: u64 = 2;

/// Predicts the noise in the latents of pictures, from their prompts. Language model and
/// autoencoder are frozen: no gradient reaches them.
#[derive(Clone, Debug)]
pub struct PaintObjective<B: MpmBackend> {
    /// The language model.
    pub text_encoder: TextEncoder<B>,
    /// From pictures to latents.
    pub vae: AutoencoderKl<B>,
    /// What is minimised.
    pub loss: DiffusionLoss,
    /// Where noise comes from.
    pub noise: NoiseSource,
}

impl<B: MpmBackend> PaintObjective<B> {
    /// Standard normal numbers, those of each row its own.
    fn draw(
        &self,
        batch: &PaintBatch,
        draw: u64,
        shape: [usize; 4],
        device: &B::Device,
    ) -> Tensor<B, 4> {
        let len = shape[1..].iter().product();
        let rows = batch.noise.iter();
        let values: Vec<f32> = rows
            .flat_map(|&number| self.noise.values(number, draw, len))
            .collect();
        Tensor::from_data(TensorData::new(values, shape), device)
    }

    /// Latents of the pictures, sampled, in the UNet's scale.
    fn latents(&self, batch: &PaintBatch, device: &B::Device) -> Result<Tensor<B, 4>, BoxError> {
        let encoded = self
            .vae
            .encode(from_pictures::<B>(&batch.pictures, device)?)?;
        let noise = self.draw(batch, LATENT_DRAW, encoded.mean.dims(), device);
        let noise = noise.cast(encoded.mean.dtype());
        Ok(self
            .vae
            .scale_latents(encoded.sample(noise))
            .cast(DType::F32))
    }
}

impl<B: MpmBackend> Objective<Autodiff<B>> for PaintObjective<B> {
    type Model = LatentDiffusion<Autodiff<B>>;
    type Batch = PaintBatch;

    fn loss(
        &self,
        model: &Self::Model,
        batch: PaintBatch,
    ) -> Result<LossOutput<Autodiff<B>>, BoxError> {
        let device = self.text_encoder.llm.device();
        let prompts: Vec<_> = batch.prompts.iter().map(String::as_str).collect();
        let text = Tensor::from_inner(self.text_encoder.encode(&prompts)?);
        let text = model.read_text(text)?;
        let dtype = model.unet.conv_in.weight.val().dtype();
        let latents = self.latents(&batch, &device)?;
        let shape = latents.dims();
        let tensor = |inner: Tensor<B, 4>| Tensor::from_inner(inner.cast(dtype));
        let has_offset = self.loss.config().noise_offset > 0.0;
        let offset = [shape[0], shape[1], 1, 1];
        let drawn = DiffusionNoise {
            noise: tensor(self.draw(&batch, NOISE_DRAW, shape, &device)),
            offset: has_offset.then(|| tensor(self.draw(&batch, OFFSET_DRAW, offset, &device))),
            timesteps: batch.timesteps.clone(),
        };
        let (output, _) = self.loss.loss(tensor(latents), drawn, |noisy, timesteps| {
            model.unet.forward(noisy, timesteps, &text)
        })?;
        Ok(output)
    }
}
