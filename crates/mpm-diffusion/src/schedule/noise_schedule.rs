//! The noise a model was trained with, timestep by timestep.
//!
//! References: Ho et al. 2020 (<https://arxiv.org/abs/2006.11239>); `DDPMScheduler` of diffusers.

use burn::tensor::{Tensor, TensorData, backend::Backend};

use super::{
    BetaSchedule, NoiseLevel, NoiseScheduleConfig, PredictionType, ScheduleError, config::require,
};

/// The largest beta of [`BetaSchedule::SquaredcosCapV2`]: a beta of 1 would leave nothing of the
/// picture.
const MAX_COSINE_BETA: f64 = 0.999;

/// The noise of every training timestep, and what training computes with it.
///
/// The tables are f64; the reference's are f32 and differ from them by its rounding.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseSchedule {
    config: NoiseScheduleConfig,
    betas: Vec<f64>,
    alphas_cumprod: Vec<f64>,
}

impl NoiseSchedule {
    /// Computes the tables.
    ///
    /// # Errors
    /// [`ScheduleError::Config`] names the first field that is out of its range or not supported.
    pub fn new(config: NoiseScheduleConfig) -> Result<Self, ScheduleError> {
        config.validate()?;
        let betas = match &config.trained_betas {
            Some(betas) => betas.clone(),
            None => betas(&config),
        };
        let field = match (&config.trained_betas, config.beta_schedule) {
            (Some(_), _) => "trained_betas",
            (None, BetaSchedule::SquaredcosCapV2) => "num_train_timesteps",
            (None, _) => "beta_start to beta_end",
        };
        for beta in &betas {
            let is_share = *beta > 0.0 && *beta < 1.0;
            require(is_share, field, beta, "betas must be above 0 and below 1")?;
        }
        let alphas_cumprod = betas
            .iter()
            .scan(1.0, |product, beta| {
                *product *= 1.0 - beta;
                Some(*product)
            })
            .collect();
        Ok(Self {
            config,
            betas,
            alphas_cumprod,
        })
    }

    /// The configuration it was computed from.
    pub fn config(&self) -> &NoiseScheduleConfig {
        &self.config
    }

    /// What the model predicts.
    pub fn prediction_type(&self) -> PredictionType {
        self.config.prediction_type
    }

    /// How many timesteps the model was trained with.
    pub fn num_train_timesteps(&self) -> usize {
        self.betas.len()
    }

    /// The variance that each timestep adds, `β`.
    pub fn betas(&self) -> &[f64] {
        &self.betas
    }

    /// What is left of the picture's variance at each timestep, `ᾱ`: the products of `1 − β`.
    pub fn alphas_cumprod(&self) -> &[f64] {
        &self.alphas_cumprod
    }

    /// The noise of a timestep.
    ///
    /// # Errors
    /// [`ScheduleError::Timestep`] when the model was not trained with it.
    pub fn level(&self, timestep: usize) -> Result<NoiseLevel, ScheduleError> {
        let alpha_cumprod = self.alphas_cumprod.get(timestep);
        let alpha_cumprod = alpha_cumprod.ok_or(ScheduleError::Timestep {
            timestep,
            last: self.num_train_timesteps() - 1,
        })?;
        Ok(NoiseLevel::from_alpha_cumprod(*alpha_cumprod))
    }

    /// The signal-to-noise ratio of a timestep, `ᾱ / (1 − ᾱ)`: what min-SNR weighting of the
    /// loss takes (<https://arxiv.org/abs/2303.09556>).
    ///
    /// # Errors
    /// [`ScheduleError::Timestep`] when the model was not trained with it.
    pub fn signal_to_noise(&self, timestep: usize) -> Result<f64, ScheduleError> {
        let level = self.level(timestep)?;
        Ok(level.alpha_cumprod() / level.noise_variance())
    }

    /// The noise between two timesteps: sigmas are on a straight line, as in k-diffusion.
    ///
    /// # Errors
    /// [`ScheduleError::Timestep`] when `timestep`, which is not negative, is past the last one.
    pub(super) fn level_between(&self, timestep: f64) -> Result<NoiseLevel, ScheduleError> {
        let low = self.level(timestep as usize)?;
        let fraction = timestep.fract();
        if fraction == 0.0 {
            return Ok(low);
        }
        let high = self.level(timestep as usize + 1)?.sigma();
        let sigma = low.sigma() + (high - low.sigma()) * fraction;
        Ok(NoiseLevel::from_sigma(sigma))
    }

    /// The timestep with this sigma, between two of them where need be: logarithms of sigmas are
    /// on a straight line. Sigmas out of the schedule's range give the first or last timestep.
    pub(super) fn timestep_of(&self, sigma: f64) -> f64 {
        let log_sigma = |alpha_cumprod: &f64| {
            let level = NoiseLevel::from_alpha_cumprod(*alpha_cumprod);
            level.sigma().ln()
        };
        let wanted = sigma.ln();
        let above = self
            .alphas_cumprod
            .partition_point(|alpha_cumprod| log_sigma(alpha_cumprod) <= wanted);
        let around = above
            .checked_sub(1)
            .and_then(|below| Some((below, self.alphas_cumprod.get(below..=above)?)));
        match around {
            Some((below, [low, high])) => {
                let (low, high) = (log_sigma(low), log_sigma(high));
                below as f64 + (wanted - low) / (high - low)
            }
            _ => above.min(self.num_train_timesteps() - 1) as f64,
        }
    }

    /// Adds to every row the noise of its timestep: `√ᾱ · sample + √(1 − ᾱ) · noise`.
    ///
    /// # Shapes
    /// - sample, noise and result: `[batch, channels, height, width]`, in the sample's dtype
    /// - timesteps: `batch`
    ///
    /// # Errors
    /// [`ScheduleError::Shape`], [`ScheduleError::Rows`] and [`ScheduleError::Timestep`].
    pub fn add_noise<B: Backend>(
        &self,
        sample: Tensor<B, 4>,
        noise: Tensor<B, 4>,
        timesteps: &[usize],
    ) -> Result<Tensor<B, 4>, ScheduleError> {
        let (signal, noise_scale) = self.scales(&sample, &noise, timesteps)?;
        let noise = noise.cast(sample.dtype());
        Ok(sample * signal + noise * noise_scale)
    }

    /// What a model of [`PredictionType::VPrediction`] is to predict:
    /// `√ᾱ · noise − √(1 − ᾱ) · sample`.
    ///
    /// # Shapes
    /// As [`add_noise`](Self::add_noise).
    ///
    /// # Errors
    /// As [`add_noise`](Self::add_noise).
    pub fn velocity<B: Backend>(
        &self,
        sample: Tensor<B, 4>,
        noise: Tensor<B, 4>,
        timesteps: &[usize],
    ) -> Result<Tensor<B, 4>, ScheduleError> {
        let (signal, noise_scale) = self.scales(&sample, &noise, timesteps)?;
        let noise = noise.cast(sample.dtype());
        Ok(noise * signal - sample * noise_scale)
    }

    /// Signal and noise of every row, each `[batch, 1, 1, 1]` in the sample's dtype.
    fn scales<B: Backend>(
        &self,
        sample: &Tensor<B, 4>,
        noise: &Tensor<B, 4>,
        timesteps: &[usize],
    ) -> Result<(Tensor<B, 4>, Tensor<B, 4>), ScheduleError> {
        same_shape("noise", sample, noise)?;
        let [batch, ..] = sample.dims();
        if timesteps.len() != batch {
            return Err(ScheduleError::Rows {
                timesteps: timesteps.len(),
                batch,
            });
        }
        let levels = timesteps
            .iter()
            .map(|&timestep| self.level(timestep))
            .collect::<Result<Vec<_>, _>>()?;
        let tensor = |scale: fn(&NoiseLevel) -> f64| {
            let scales: Vec<f32> = levels.iter().map(|level| scale(level) as f32).collect();
            let data = TensorData::new(scales, [batch, 1, 1, 1]);
            Tensor::from_data(data, (&sample.device(), sample.dtype()))
        };
        Ok((tensor(|level| level.signal), tensor(|level| level.noise)))
    }
}

/// [`ScheduleError::Shape`] unless the shapes are equal.
pub(super) fn same_shape<B: Backend>(
    what: &'static str,
    sample: &Tensor<B, 4>,
    other: &Tensor<B, 4>,
) -> Result<(), ScheduleError> {
    if sample.dims() == other.dims() {
        return Ok(());
    }
    Err(ScheduleError::Shape {
        what,
        expected: sample.dims(),
        found: other.dims(),
    })
}

/// The variances that a configuration without `trained_betas` describes.
fn betas(config: &NoiseScheduleConfig) -> Vec<f64> {
    let timesteps = config.num_train_timesteps;
    let between = |start: f64, end: f64, i: usize| {
        let whole = (timesteps - 1).max(1);
        start + (end - start) * i as f64 / whole as f64
    };
    let beta = |i: usize| match config.beta_schedule {
        BetaSchedule::Linear => between(config.beta_start, config.beta_end, i),
        BetaSchedule::ScaledLinear => {
            let root = between(config.beta_start.sqrt(), config.beta_end.sqrt(), i);
            root * root
        }
        BetaSchedule::SquaredcosCapV2 => {
            let alpha_bar = |i: usize| {
                let time = i as f64 / timesteps as f64;
                let angle = (time + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2;
                angle.cos().powi(2)
            };
            (1.0 - alpha_bar(i + 1) / alpha_bar(i)).min(MAX_COSINE_BETA)
        }
    };
    (0..timesteps).map(beta).collect()
}
