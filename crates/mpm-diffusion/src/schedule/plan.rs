//! The whole of a sampler's work as numbers.

use burn::tensor::{DType, Tensor, backend::Backend};

use super::{NoiseSchedule, ScheduleError, noise_schedule::same_shape};

/// A sampler: turns a noise schedule into a [`DenoisingPlan`].
pub trait Scheduler: std::fmt::Debug + Send + Sync {
    /// The plan with this many steps.
    ///
    /// # Errors
    /// [`ScheduleError::NoSteps`], [`ScheduleError::TooManySteps`], [`ScheduleError::Repeated`]
    /// and [`ScheduleError::Timestep`] for a number of steps that the sampler cannot take,
    /// [`ScheduleError::Setting`] for settings of the sampler that are out of range, and
    /// [`ScheduleError::Config`] for what the configuration asks of a sampler that does not do it.
    fn plan(&self, schedule: &NoiseSchedule, steps: usize) -> Result<DenoisingPlan, ScheduleError>;
}

/// How noise becomes a sample: what a [`DenoisingState`](super::DenoisingState) does, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct DenoisingPlan {
    /// The standard deviation of the noise that the first step begins with.
    pub initial_noise_scale: f64,
    /// The steps, noisiest first; at least one.
    pub steps: Vec<DenoisingStep>,
}

/// One call of the model and what is made of its output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DenoisingStep {
    /// What the model is told about the noise; not always a whole number.
    pub timestep: f64,
    /// The sample is `signal_scale · x₀ + noise_scale · ε`: what a picture has to become in order
    /// to enter the plan here.
    pub signal_scale: f64,
    /// See `signal_scale`. It is also the `σ` of samplers whose `signal_scale` is 1.
    pub noise_scale: f64,
    /// The model is shown the sample times this.
    pub input_scale: f64,
    /// The estimate of the clean sample.
    pub denoised: Denoised,
    /// The estimate is cut at this magnitude. `None` leaves it as it is.
    pub clip: Option<f64>,
    /// The sample of the next step, or the result.
    pub next: Next,
}

/// `x₀ = sample · x + output · model(x)`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Denoised {
    /// The factor of the sample.
    pub sample: f64,
    /// The factor of the model's output.
    pub output: f64,
}

/// `x' = sample · x + denoised · x₀ + previous_denoised · x₀ of the step before + noise · z`, `z`
/// a fresh standard normal.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Next {
    /// The factor of the sample.
    pub sample: f64,
    /// The factor of the estimate of the clean sample.
    pub denoised: f64,
    /// The factor of the estimate at the step before; 0 of samplers that look at one estimate.
    pub previous_denoised: f64,
    /// The factor of fresh noise. Where it is 0, none is drawn.
    pub noise: f64,
}

impl DenoisingPlan {
    /// The sample that the first step begins with, from a standard normal of the same shape.
    pub fn initial_sample<B: Backend>(&self, noise: Tensor<B, 4>) -> Tensor<B, 4> {
        noise * self.initial_noise_scale
    }

    /// The last steps, for changing a picture instead of making one: `strength` 1 takes all of
    /// them and leaves nothing of the picture, 0.5 takes half. The first of them begins with
    /// [`DenoisingStep::noised`].
    ///
    /// # Errors
    /// [`ScheduleError::Strength`] when no step is left, or `strength` is above 1.
    pub fn steps_from(&self, strength: f64) -> Result<&[DenoisingStep], ScheduleError> {
        let steps = self.steps.len();
        // Rounded down as in the reference's pipelines. What is no number fails.
        let taken = strength * steps as f64;
        if !(taken >= 1.0 && strength <= 1.0) {
            return Err(ScheduleError::Strength { strength, steps });
        }
        Ok(&self.steps[steps - taken as usize..])
    }
}

impl DenoisingStep {
    /// A picture with the noise that this step begins with.
    ///
    /// # Shapes
    /// - picture and noise: `[batch, channels, height, width]`, in any float dtype
    /// - result: the same, f32
    ///
    /// # Errors
    /// [`ScheduleError::Shape`] when the shapes differ.
    pub fn noised<B: Backend>(
        &self,
        picture: Tensor<B, 4>,
        noise: Tensor<B, 4>,
    ) -> Result<Tensor<B, 4>, ScheduleError> {
        same_shape("noise", &picture, &noise)?;
        let (picture, noise) = (picture.cast(DType::F32), noise.cast(DType::F32));
        Ok(picture * self.signal_scale + noise * self.noise_scale)
    }
}
