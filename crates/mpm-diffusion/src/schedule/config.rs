//! What diffusers' `scheduler_config.json` says about the noise a model was trained with.

use serde::{Deserialize, Deserializer, Serialize};

use super::{PathEnd, ScheduleError, Timesteps};

/// The most [`num_train_timesteps`](NoiseScheduleConfig::num_train_timesteps): a thousand times
/// what published models have.
pub const MAX_TRAIN_TIMESTEPS: usize = 1_000_000;

/// The noise schedule of a trained model, under the names of `scheduler_config.json`.
///
/// A key that the file lacks takes the default of diffusers' `DDPMScheduler`, except
/// `clip_sample`. Keys that are not listed here are passed over, for such files carry class
/// names, versions and the options of other samplers.
///
/// ```
/// use mpm_diffusion::schedule::NoiseScheduleConfig;
///
/// let file = r#"{ "_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012,
///                 "beta_schedule": "scaled_linear", "steps_offset": 1, "skip_prk_steps": true,
///                 "set_alpha_to_one": false, "trained_betas": null, "clip_sample": false }"#;
/// let config: NoiseScheduleConfig = serde_json::from_str(file)?;
/// assert_eq!(config, NoiseScheduleConfig::stable_diffusion());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct NoiseScheduleConfig {
    /// How many noise levels the model was trained with, 1 to [`MAX_TRAIN_TIMESTEPS`].
    pub num_train_timesteps: usize,
    /// The variance that the first timestep adds, above 0 and below 1.
    pub beta_start: f64,
    /// The variance that the last timestep adds, above 0 and below 1.
    pub beta_end: f64,
    /// How the variances grow between the two.
    pub beta_schedule: BetaSchedule,
    /// The variances themselves, one per timestep, in place of the three fields before. `None`
    /// computes them.
    pub trained_betas: Option<Vec<f64>>,
    /// What the model predicts.
    pub prediction_type: PredictionType,
    /// The variance of the noise that [`Ddpm`](super::Ddpm) adds at a step; other samplers do
    /// not use it.
    #[serde(deserialize_with = "null_is_default")]
    pub variance_type: VarianceType,
    /// Which timesteps a sampler visits. `None` leaves it to the sampler.
    pub timestep_spacing: Option<TimestepSpacing>,
    /// Added to every timestep of [`TimestepSpacing::Leading`].
    pub steps_offset: usize,
    /// Whether the last step of [`Ddim`](super::Ddim) goes to a clean picture. If not, it goes
    /// to the noise of timestep 0.
    pub set_alpha_to_one: bool,
    /// Whether estimates of the clean picture are cut at `clip_sample_range`: for models of
    /// pixels; latents have no such bound. A file that lacks it means `false` here, though
    /// `true` to diffusers' DDPM and DDIM, for other samplers never write it. All samplers here
    /// clip if it is `true`, while diffusers' Euler and DPM-Solver++ do not look at it.
    pub clip_sample: bool,
    /// The largest magnitude of a clean picture, if `clip_sample`; above 0.
    pub clip_sample_range: f64,
    /// Imagen's dynamic thresholding. `true` is refused.
    pub thresholding: bool,
    /// Whether the betas are rescaled so that the last timestep is pure noise
    /// (<https://arxiv.org/abs/2305.08891>). `true` is refused.
    pub rescale_betas_zero_snr: bool,
    /// Where [`Euler`](super::Euler) and [`DpmSolver`](super::DpmSolver) end by
    /// [`Convention::Current`](super::Convention). `None` leaves it to the sampler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_sigmas_type: Option<PathEnd>,
    /// The least `ln(signal / noise)` of a timestep that [`DpmSolver::Spaced`](super::DpmSolver)
    /// visits. One that would leave timesteps out is refused by that sampler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lambda_min_clipped: Option<f64>,
    /// See [`Lcm::original_inference_steps`](super::Lcm::original_inference_steps). `None` leaves
    /// it to the sampler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub original_inference_steps: Option<usize>,
    /// See [`Lcm::timestep_scaling`](super::Lcm::timestep_scaling). `None` leaves it to the
    /// sampler.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestep_scaling: Option<f64>,
}

/// How the variances of the timesteps grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BetaSchedule {
    /// On a straight line.
    Linear,
    /// Their square roots are on a straight line: latent diffusion.
    ScaledLinear,
    /// So that the share of the picture falls like a squared cosine, at most 0.999 each; does
    /// not use `beta_start` and `beta_end` (<https://arxiv.org/abs/2102.09672>).
    SquaredcosCapV2,
}

/// What a model predicts from a noisy sample `α·x₀ + σ·ε`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PredictionType {
    /// The noise `ε`.
    Epsilon,
    /// The velocity `α·ε − σ·x₀` (<https://arxiv.org/abs/2202.00512>).
    VPrediction,
    /// The clean sample `x₀`.
    Sample,
}

/// The variance of the noise that a DDPM step adds (section 3.2 of
/// <https://arxiv.org/abs/2006.11239>).
///
/// The learned variances of diffusers are not offered: they take a model with twice the outputs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VarianceType {
    /// What is right if all pictures are one.
    #[default]
    // diffusers takes the root of this one by its logarithm, to the same effect.
    #[serde(alias = "fixed_small_log")]
    FixedSmall,
    /// What is right if pictures are white noise.
    FixedLarge,
}

/// Which timesteps a sampler visits: the values of the configuration's key. With its offset it
/// is [`Timesteps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimestepSpacing {
    /// Counted up from the offset.
    Leading,
    /// Counted down from the last one.
    Trailing,
    /// From the first to the last.
    Linspace,
}

impl TimestepSpacing {
    /// Joins the key with that of the offset.
    pub fn with_offset(self, steps_offset: usize) -> Timesteps {
        match self {
            Self::Leading => Timesteps::Leading {
                offset: steps_offset,
            },
            Self::Trailing => Timesteps::Trailing,
            Self::Linspace => Timesteps::Linspace,
        }
    }
}

impl Default for NoiseScheduleConfig {
    fn default() -> Self {
        Self {
            num_train_timesteps: 1000,
            beta_start: 0.0001,
            beta_end: 0.02,
            beta_schedule: BetaSchedule::Linear,
            trained_betas: None,
            prediction_type: PredictionType::Epsilon,
            variance_type: VarianceType::FixedSmall,
            timestep_spacing: None,
            steps_offset: 0,
            set_alpha_to_one: true,
            clip_sample: false,
            clip_sample_range: 1.0,
            thresholding: false,
            rescale_betas_zero_snr: false,
            final_sigmas_type: None,
            lambda_min_clipped: None,
            original_inference_steps: None,
            timestep_scaling: None,
        }
    }
}

impl NoiseScheduleConfig {
    /// Stable Diffusion 2.1 base, which VisCPM-Paint begins with.
    pub fn stable_diffusion() -> Self {
        Self {
            beta_start: 0.00085,
            beta_end: 0.012,
            beta_schedule: BetaSchedule::ScaledLinear,
            steps_offset: 1,
            set_alpha_to_one: false,
            ..Self::default()
        }
    }

    /// Checks everything but the variances themselves.
    pub(super) fn validate(&self) -> Result<(), ScheduleError> {
        let timesteps = self.num_train_timesteps;
        require(
            (1..=MAX_TRAIN_TIMESTEPS).contains(&timesteps),
            "num_train_timesteps",
            &timesteps,
            "must be 1 to 1,000,000",
        )?;
        if let Some(betas) = &self.trained_betas {
            require(
                betas.len() == timesteps,
                "trained_betas",
                &format_args!("a list of {}", betas.len()),
                "there must be as many as num_train_timesteps",
            )?;
        }
        require(
            self.clip_sample_range > 0.0 && self.clip_sample_range.is_finite(),
            "clip_sample_range",
            &self.clip_sample_range,
            "must be a finite number above 0",
        )?;
        require(
            !self.thresholding,
            "thresholding",
            &true,
            "dynamic thresholding is not supported; set it to false, or use clip_sample",
        )?;
        require(
            !self.rescale_betas_zero_snr,
            "rescale_betas_zero_snr",
            &true,
            "rescaling is not supported; set it to false and give the rescaled trained_betas",
        )
    }

    /// The largest magnitude that an estimate of the clean sample keeps.
    pub(super) fn clip(&self) -> Option<f64> {
        self.clip_sample.then_some(self.clip_sample_range)
    }
}

/// [`ScheduleError::Config`] unless `satisfied`.
pub(super) fn require(
    satisfied: bool,
    field: &'static str,
    value: &dyn std::fmt::Display,
    requirement: &'static str,
) -> Result<(), ScheduleError> {
    if satisfied {
        return Ok(());
    }
    Err(ScheduleError::Config {
        field,
        value: value.to_string(),
        requirement,
    })
}

/// diffusers writes `null` where a sampler leaves a key to itself.
fn null_is_default<'de, D: Deserializer<'de>>(deserializer: D) -> Result<VarianceType, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
