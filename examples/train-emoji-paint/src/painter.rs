//! The painter's objective and samples: English prompts, latents, noise.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use burn::{
    backend::Autodiff,
    tensor::{Tensor, TensorData},
};
use emoji_training::{BoxError, sample_rng};
use mpm_core::MpmBackend;
use mpm_diffusion::{LatentDiffusion, noise::NoiseSource};
use mpm_train::{
    DataSource, LossOutput, Objective,
    diffusion::{DiffusionLoss, DiffusionNoise, ResolutionSchedule},
};
use rand::RngExt;
use viscpm_paint::TextEncoder;

use crate::{latents::Latents, things::Things};

/// Draws of the noise of a sample.
const LATENT_DRAW: u64 = 0;
const NOISE_DRAW: u64 = 1;
const OFFSET_DRAW: u64 = 2;
const STATES_DRAW: u64 = 3;

/// Predicts the noise in the latents of what a prompt names.
pub struct PainterObjective<B: MpmBackend> {
    /// Frozen: no gradient reaches it.
    pub text_encoder: TextEncoder<B>,
    pub loss: DiffusionLoss,
    pub states_noise: NoiseSource,
}

/// Prompts, latents and noise.
pub struct PaintBatch {
    /// The numbers of the samples.
    pub indices: Range<u64>,
    pub prompts: Vec<String>,
    /// For each prompt the noise on its states, relative to their deviation.
    pub states_noise: Vec<f32>,
    /// `[batch, channels, height, width]`, in the UNet's scale
    pub latents: TensorData,
    /// `[batch, channels, height, width]`
    pub noise: TensorData,
    /// `[batch, channels, 1, 1]`
    pub offset: TensorData,
    pub timesteps: Vec<usize>,
}

impl<B: MpmBackend> Objective<Autodiff<B>> for PainterObjective<B> {
    type Model = LatentDiffusion<Autodiff<B>>;
    type Batch = PaintBatch;

    fn loss(
        &self,
        model: &Self::Model,
        batch: PaintBatch,
    ) -> Result<LossOutput<Autodiff<B>>, BoxError> {
        let prompts: Vec<_> = batch.prompts.iter().map(String::as_str).collect();
        let hidden = self.text_encoder.encode(&prompts)?;
        let hidden = Tensor::from_inner(self.blur(hidden, &batch));
        let text = model.read_text(hidden.clone())?;
        let tensor = |data| Tensor::<Autodiff<B>, 4>::from_data(data, &hidden.device());
        let has_offset = self.loss.config().noise_offset > 0.0;
        let drawn = DiffusionNoise {
            noise: tensor(batch.noise),
            offset: has_offset.then(|| tensor(batch.offset)),
            timesteps: batch.timesteps,
        };
        let latents = tensor(batch.latents);
        let (output, _) = self.loss.loss(latents, drawn, |noisy, timesteps| {
            model.unet.forward(noisy, timesteps, &text)
        })?;
        Ok(output)
    }
}

impl<B: MpmBackend> PainterObjective<B> {
    /// Puts noise on states, `[batch, seq, d_llm]`: those of another language are close to these,
    /// but not the same.
    fn blur(&self, hidden: Tensor<B, 3>, batch: &PaintBatch) -> Tensor<B, 3> {
        let [_, seq, width] = hidden.dims();
        let numbered = batch.indices.clone().zip(&batch.states_noise);
        let noise: Vec<f32> = numbered
            .flat_map(|(index, level)| {
                let noise = self.states_noise.values(index, STATES_DRAW, seq * width);
                noise.into_iter().map(move |value| level * value)
            })
            .collect();
        let noise = TensorData::new(noise, hidden.dims());
        let noise = Tensor::<B, 3>::from_data(noise, &hidden.device());
        let deviation = hidden.clone().square().mean().sqrt();
        hidden + noise * deviation.unsqueeze()
    }
}

/// Draws samples; each is a function of the seed and its number.
pub struct PaintSource {
    pub things: Arc<Things>,
    /// By size in pixels.
    pub latents: BTreeMap<usize, Latents>,
    pub resolutions: ResolutionSchedule,
    pub seed: u64,
    pub timesteps: usize,
    pub condition_dropout: f64,
    /// The most noise on the states of a prompt.
    pub max_states_noise: f32,
    /// Samples of a batch, and batches of a step.
    pub batch: usize,
    pub parts: usize,
    /// The number of batches delivered.
    pub next: u64,
}

impl DataSource for PaintSource {
    type Batch = PaintBatch;
    type Position = u64;

    fn next_batch(&mut self) -> Result<Option<PaintBatch>, BoxError> {
        let step = (self.next / self.parts as u64) as usize;
        let size = self.resolutions.size_at(step);
        let latents = &self.latents[&size];
        let [channels, height, width] = latents.shape;
        let len = channels * height * width;
        let source = NoiseSource::new(self.seed);
        let (mut values, mut noise) = (Vec::new(), Vec::new());
        let (mut prompts, mut timesteps, mut offset) = (Vec::new(), Vec::new(), Vec::new());
        let mut states_noise = Vec::new();
        let start = self.next * self.batch as u64;
        let indices = start..start + self.batch as u64;
        for index in indices.clone() {
            let mut rng = sample_rng(self.seed, index);
            let thing = rng.random_range(0..self.things.len());
            let prompt = match rng.random_bool(self.condition_dropout) {
                true => String::new(),
                false => self.things.prompt(thing, self.seed, index),
            };
            prompts.push(prompt);
            states_noise.push(rng.random_range(0.0..=self.max_states_noise));
            timesteps.push(rng.random_range(0..self.timesteps));
            let versions = &latents.things[thing];
            let [mean, std] = &versions[rng.random_range(0..versions.len())];
            let sample = source.values(index, LATENT_DRAW, len);
            let sampled = mean.iter().zip(std).zip(sample);
            values.extend(sampled.map(|((mean, std), z)| mean + std * z));
            noise.extend(source.values(index, NOISE_DRAW, len));
            offset.extend(source.values(index, OFFSET_DRAW, channels));
        }
        self.next += 1;
        let shape = [self.batch, channels, height, width];
        Ok(Some(PaintBatch {
            indices,
            prompts,
            states_noise,
            latents: TensorData::new(values, shape),
            noise: TensorData::new(noise, shape),
            offset: TensorData::new(offset, [self.batch, channels, 1, 1]),
            timesteps,
        }))
    }

    fn position(&self) -> u64 {
        self.next
    }

    fn seek(&mut self, position: &u64) -> Result<(), BoxError> {
        self.next = *position;
        Ok(())
    }
}
