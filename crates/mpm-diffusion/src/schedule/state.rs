//! A sample on its way through a plan.

use burn::tensor::{DType, Tensor, backend::Backend};

use super::{DenoisingStep, ScheduleError, noise_schedule::same_shape};

/// What a denoising loop carries from step to step.
///
/// The sample is kept in f32, whatever the model computes in: errors of its rounding would add up
/// over the steps.
///
/// ```
/// use burn::{backend::Flex, tensor::Tensor};
/// use mpm_diffusion::{
///     noise::NoiseSource,
///     schedule::{DenoisingState, Euler, NoiseSchedule, NoiseScheduleConfig, Scheduler},
/// };
///
/// # fn unet(input: Tensor<Flex, 4>, _: f64) -> Tensor<Flex, 4> { input * 0.1 }
/// let schedule = NoiseSchedule::new(NoiseScheduleConfig::stable_diffusion())?;
/// let plan = Euler::default().plan(&schedule, 20)?;
/// let source = NoiseSource::new(42);
/// let noise = |draw| source.tensor::<Flex>(0..2, draw, [4, 8, 8], &Default::default());
///
/// let mut state = DenoisingState::new(plan.initial_sample(noise(0)));
/// for (draw, step) in (1..).zip(&plan.steps) {
///     let output = unet(state.model_input(step), step.timestep);
///     state = state.advance(step, output, || noise(draw))?;
/// }
/// assert_eq!(state.into_sample().dims(), [2, 4, 8, 8]);
/// # Ok::<(), mpm_diffusion::schedule::ScheduleError>(())
/// ```
#[derive(Debug, Clone)]
pub struct DenoisingState<B: Backend> {
    sample: Tensor<B, 4>,
    denoised: Option<Tensor<B, 4>>,
}

impl<B: Backend> DenoisingState<B> {
    /// Begins with [`DenoisingPlan::initial_sample`](super::DenoisingPlan::initial_sample), or
    /// with [`DenoisingStep::noised`] of the step to be taken first:
    /// `[batch, channels, height, width]`.
    pub fn new(sample: Tensor<B, 4>) -> Self {
        Self {
            sample: sample.cast(DType::F32),
            denoised: None,
        }
    }

    /// What the model is shown at `step`: `[batch, channels, height, width]`, f32.
    pub fn model_input(&self, step: &DenoisingStep) -> Tensor<B, 4> {
        scaled(self.sample.clone(), step.input_scale)
    }

    /// Takes a step.
    ///
    /// `noise` is called once if the step adds noise, and otherwise not at all. At a step that
    /// looks at the estimate of the step before, the first one taken looks at its own instead:
    /// that makes it a step of first order, and so a plan can be entered anywhere.
    ///
    /// # Shapes
    /// output and noise: those of the sample, in any float dtype
    ///
    /// # Errors
    /// [`ScheduleError::Shape`] when they have another shape.
    pub fn advance(
        self,
        step: &DenoisingStep,
        output: Tensor<B, 4>,
        noise: impl FnOnce() -> Tensor<B, 4>,
    ) -> Result<Self, ScheduleError> {
        same_shape("model's output", &self.sample, &output)?;
        let output = output.cast(DType::F32);
        let estimate = sum([
            (self.sample.clone(), step.denoised.sample),
            (output.clone(), step.denoised.output),
        ]);
        let denoised = estimate.unwrap_or_else(|| output.zeros_like());
        let denoised = match step.clip {
            Some(limit) => denoised.clamp(-limit, limit),
            None => denoised,
        };

        let mut terms = vec![
            (self.sample.clone(), step.next.sample),
            (denoised.clone(), step.next.denoised),
        ];
        if step.next.previous_denoised != 0.0 {
            let previous = self.denoised.unwrap_or_else(|| denoised.clone());
            terms.push((previous, step.next.previous_denoised));
        }
        if step.next.noise != 0.0 {
            let noise = noise();
            same_shape("noise", &self.sample, &noise)?;
            terms.push((noise.cast(DType::F32), step.next.noise));
        }
        Ok(Self {
            sample: sum(terms).unwrap_or_else(|| denoised.zeros_like()),
            denoised: Some(denoised),
        })
    }

    /// The sample: noisy until the last step is taken. `[batch, channels, height, width]`, f32.
    pub fn sample(&self) -> &Tensor<B, 4> {
        &self.sample
    }

    /// The estimate of the clean sample at the last step taken, which makes a preview; `None`
    /// before the first. `[batch, channels, height, width]`, f32.
    pub fn denoised(&self) -> Option<&Tensor<B, 4>> {
        self.denoised.as_ref()
    }

    /// Changes the sample between two steps: inpainting puts back what stays.
    #[must_use]
    pub fn map_sample(self, change: impl FnOnce(Tensor<B, 4>) -> Tensor<B, 4>) -> Self {
        Self {
            sample: change(self.sample),
            denoised: self.denoised,
        }
    }

    /// The sample, without a copy.
    pub fn into_sample(self) -> Tensor<B, 4> {
        self.sample
    }
}

/// The sum of tensors times factors, without the terms whose factor is 0.
fn sum<B: Backend>(terms: impl IntoIterator<Item = (Tensor<B, 4>, f64)>) -> Option<Tensor<B, 4>> {
    let terms = terms.into_iter().filter(|(_, factor)| *factor != 0.0);
    terms
        .map(|(tensor, factor)| scaled(tensor, factor))
        .reduce(|sum, term| sum + term)
}

fn scaled<B: Backend>(tensor: Tensor<B, 4>, factor: f64) -> Tensor<B, 4> {
    if factor == 1.0 {
        tensor
    } else {
        tensor * factor
    }
}
