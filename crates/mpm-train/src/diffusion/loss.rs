//! The loss of a model that predicts noise.
//!
//! Source: `SDWrapper.forward` in VisCPM's `models/stablediffusion.py`; "Denoising Diffusion
//! Probabilistic Models", <https://arxiv.org/abs/2006.11239>.

use burn::tensor::{DType, Tensor, TensorData, backend::Backend};
use mpm_diffusion::schedule::{NoiseSchedule, PredictionType};
use serde::{Deserialize, Serialize};

use crate::{BoxError, LossOutput, TrainError};

/// How a diffusion model is trained. The default is VisCPM-Paint's: the plain mean of squared
/// errors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiffusionLossConfig {
    /// Limits the weight of easy timesteps: each row's error is weighted as if its
    /// signal-to-noise ratio were at most this; 5 is usual ("Efficient Diffusion Training via
    /// Min-SNR Weighting Strategy", <https://arxiv.org/abs/2303.09556>). `None`: all rows
    /// count alike.
    pub min_snr_gamma: Option<f64>,
    /// Strength of noise that is the same for all pixels of a channel, so that the model
    /// learns to change a picture's brightness; 0.1 is usual, 0 is none.
    pub noise_offset: f64,
}

/// The loss of predictions on noisy latents.
#[derive(Clone, Debug)]
pub struct DiffusionLoss {
    schedule: NoiseSchedule,
    config: DiffusionLossConfig,
}

/// What the host draws for a batch of latents.
#[derive(Clone, Debug)]
pub struct DiffusionNoise<B: Backend> {
    /// Standard normal, of the latents' shape.
    pub noise: Tensor<B, 4>,
    /// Standard normal, `[batch, channels, 1, 1]`: the offset's. `None` without an offset.
    pub offset: Option<Tensor<B, 4>>,
    /// One for each row.
    pub timesteps: Vec<usize>,
}

impl DiffusionLoss {
    /// The loss for a schedule; what the model predicts is the schedule's
    /// `prediction_type`.
    ///
    /// # Errors
    /// [`TrainError::Setting`] when a setting is out of its range.
    pub fn new(schedule: NoiseSchedule, config: DiffusionLossConfig) -> Result<Self, TrainError> {
        let setting = |name, value: f64, expected| {
            Err(TrainError::Setting {
                name,
                value: value.to_string(),
                expected,
            })
        };
        if let Some(gamma) = config.min_snr_gamma
            && !(gamma > 0.0 && gamma.is_finite())
        {
            return setting("min_snr_gamma", gamma, "a finite number above 0");
        }
        if !(config.noise_offset >= 0.0 && config.noise_offset.is_finite()) {
            return setting(
                "noise_offset",
                config.noise_offset,
                "a finite number from 0",
            );
        }
        Ok(Self { schedule, config })
    }

    /// The schedule.
    pub fn schedule(&self) -> &NoiseSchedule {
        &self.schedule
    }

    /// The settings.
    pub fn config(&self) -> DiffusionLossConfig {
        self.config
    }

    /// The weighted mean of squared errors, in f32, and the model's prediction.
    ///
    /// `predict` gets the noisy latents and a timestep for each row.
    ///
    /// # Shapes
    /// - latents: `[batch, channels, height, width]`, in the model's scale
    ///
    /// # Errors
    /// Those of `predict`, and of the schedule when noise and latents do not fit.
    pub fn loss<B: Backend, E: Into<BoxError>>(
        &self,
        latents: Tensor<B, 4>,
        drawn: DiffusionNoise<B>,
        predict: impl FnOnce(Tensor<B, 4>, &[f64]) -> Result<Tensor<B, 4>, E>,
    ) -> Result<(LossOutput<B>, Tensor<B, 4>), BoxError> {
        let DiffusionNoise {
            mut noise,
            offset,
            timesteps,
        } = drawn;
        if let Some(offset) = offset {
            noise = noise + offset * self.config.noise_offset;
        }
        let noisy = self
            .schedule
            .add_noise(latents.clone(), noise.clone(), &timesteps)?;
        let times: Vec<f64> = timesteps.iter().map(|&timestep| timestep as f64).collect();
        let prediction = predict(noisy, &times).map_err(Into::into)?;
        let target = match self.schedule.prediction_type() {
            PredictionType::Epsilon => noise,
            PredictionType::VPrediction => self.schedule.velocity(latents, noise, &timesteps)?,
            PredictionType::Sample => latents,
        };
        let [batch, _, height, width] = prediction.dims();
        let error = prediction.clone().cast(DType::F32) - target.cast(DType::F32);
        let errors: Tensor<B, 2> = error.square().flatten::<2>(1, 3).mean_dim(1);
        let weights = self.weights(&timesteps)?;
        let weights = TensorData::new(weights, [batch, 1]);
        let weights = Tensor::<B, 2>::from_data(weights, (&errors.device(), DType::F32));
        let output = LossOutput {
            loss: (errors * weights).mean(),
            counted: batch,
            correct: None,
            samples: batch,
            tokens: batch * height * width,
        };
        Ok((output, prediction))
    }

    /// How much each row counts.
    fn weights(&self, timesteps: &[usize]) -> Result<Vec<f32>, BoxError> {
        let Some(gamma) = self.config.min_snr_gamma else {
            return Ok(vec![1.0; timesteps.len()]);
        };
        let weight = |&timestep: &usize| {
            let ratio = self.schedule.signal_to_noise(timestep)?;
            // The error of each kind of prediction as a multiple of that of the clean sample.
            let weight = match self.schedule.prediction_type() {
                PredictionType::Epsilon => ratio.min(gamma) / ratio,
                PredictionType::VPrediction => ratio.min(gamma) / (ratio + 1.0),
                PredictionType::Sample => ratio.min(gamma),
            };
            Ok(weight as f32)
        };
        timesteps.iter().map(weight).collect()
    }
}
