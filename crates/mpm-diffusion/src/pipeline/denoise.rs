//! The denoising loop: from noise, or from a picture, to latents.
//!
//! Source: `SDWrapper.generate` in VisCPM's `models/stablediffusion.py`; diffusers' pipelines
//! for img2img and inpainting.

use std::ops::ControlFlow;

use burn::tensor::{DType, ElementConversion, Tensor, backend::Backend};
use mpm_core::MpmBackend;

use super::guidance::GuidedText;
use crate::{
    DiffusionError,
    schedule::{DenoisingPlan, DenoisingState, DenoisingStep},
    unet::UNet2DConditionModel,
};

/// What denoising begins with.
#[derive(Clone, Debug)]
pub enum Start<B: Backend> {
    /// Noise alone.
    Noise,
    /// A picture that changes: img2img.
    Picture {
        /// Its latents, in the UNet's scale: `[pictures, channels, height, width]`, or one row
        /// for all, of any float dtype.
        latents: Tensor<B, 4>,
        /// How much changes, above 0 to 1: the share of the steps that are taken.
        strength: f64,
        /// What changes, for inpainting: 1 there and 0 where the picture stays,
        /// `[1, 1, height, width]`, of any float dtype. `None` changes all.
        mask: Option<Tensor<B, 4>>,
    },
}

/// How far denoising has come.
#[derive(Debug)]
pub struct DenoisingProgress<'a, B: Backend> {
    /// The number of steps taken, counted from 1.
    pub step: usize,
    /// The number of steps to take.
    pub steps: usize,
    /// The sample, and an estimate of the result for previews.
    pub state: &'a DenoisingState<B>,
}

/// A denoising run, all settings of which are known.
#[derive(Debug)]
pub struct Denoising<'a, B: Backend> {
    /// The model.
    pub unet: &'a UNet2DConditionModel<B>,
    /// The steps.
    pub plan: &'a DenoisingPlan,
    /// What is to be seen.
    pub text: &'a GuidedText<B>,
    /// What it begins with.
    pub start: Start<B>,
}

impl<B: MpmBackend> Denoising<'_, B> {
    /// Takes all steps. `None` when `progress` broke off.
    ///
    /// `noise` is asked for standard normal values of the latents' shape: draw 0 at the start
    /// and draw `i + 1` at step `i` of the plan, if that step takes any.
    ///
    /// # Shapes
    /// - noise, output: `[pictures, channels, height, width]`, in f32
    ///
    /// # Errors
    /// [`DiffusionError::Schedule`] for a strength that leaves no step,
    /// [`DiffusionError::Shape`] when start, noise and model do not fit,
    /// [`DiffusionError::NonFinite`] when the model's output is no number.
    pub fn run(
        self,
        mut noise: impl FnMut(usize) -> Tensor<B, 4>,
        mut progress: impl FnMut(DenoisingProgress<'_, B>) -> ControlFlow<()>,
    ) -> Result<Option<Tensor<B, 4>>, DiffusionError> {
        let first_noise = noise(0);
        let Begin {
            sample,
            taken,
            kept,
        } = self.begin(&first_noise)?;
        let skipped = self.plan.steps.len() - taken.len();
        let steps = taken.len();
        let mut state = DenoisingState::new(sample);
        for (i, step) in taken.iter().enumerate() {
            let input = state.model_input(step);
            let output = self.text.predict(self.unet, input, step.timestep)?;
            state = state.advance(step, output, || noise(skipped + i + 1))?;
            if let Some(kept) = &kept {
                state = kept.restore(state, taken.get(i + 1), &first_noise)?;
            }
            require_finite(state.sample(), i + 1, steps)?;
            let report = DenoisingProgress {
                step: i + 1,
                steps,
                state: &state,
            };
            if progress(report).is_break() {
                return Ok(None);
            }
        }
        Ok(Some(state.into_sample()))
    }

    fn begin(&self, noise: &Tensor<B, 4>) -> Result<Begin<'_, B>, DiffusionError> {
        let (latents, strength, mask) = match &self.start {
            Start::Noise => {
                let sample = self.plan.initial_sample(noise.clone());
                return Ok(Begin {
                    sample,
                    taken: &self.plan.steps,
                    kept: None,
                });
            }
            Start::Picture {
                latents,
                strength,
                mask,
            } => (latents, *strength, mask),
        };
        let size @ [_, channels, height, width] = noise.dims();
        let [rows, rest @ ..] = latents.dims();
        if rest != [channels, height, width] || !(rows == 1 || rows == size[0]) {
            return Err(DiffusionError::Shape {
                what: "latents to begin with",
                expected: format!("{size:?}"),
                found: latents.dims().to_vec(),
            });
        }
        // The sample that they meet is f32.
        let latents = latents.clone().cast(DType::F32).expand(size);
        let taken = self.plan.steps_from(strength)?;
        let first = taken
            .first()
            .ok_or_else(|| DiffusionError::config("denoising", "the plan has no steps"))?;
        let sample = first.noised(latents.clone(), noise.clone())?;
        let kept = match mask {
            None => None,
            Some(mask) if mask.dims() == [1, 1, height, width] => Some(Kept {
                latents,
                mask: mask.clone().cast(DType::F32),
            }),
            Some(mask) => {
                return Err(DiffusionError::Shape {
                    what: "mask",
                    expected: format!("[1, 1, {height}, {width}], that of the latents,"),
                    found: mask.dims().to_vec(),
                });
            }
        };
        Ok(Begin {
            sample,
            taken,
            kept,
        })
    }
}

/// What a run begins with.
struct Begin<'a, B: Backend> {
    sample: Tensor<B, 4>,
    /// The steps to take.
    taken: &'a [DenoisingStep],
    /// What does not change.
    kept: Option<Kept<B>>,
}

/// The picture around what is painted anew.
struct Kept<B: Backend> {
    latents: Tensor<B, 4>,
    /// 1 where the picture changes.
    mask: Tensor<B, 4>,
}

impl<B: Backend> Kept<B> {
    /// Puts the picture back around the mask, with the noise that the next step expects; behind
    /// the last step without noise.
    fn restore(
        &self,
        state: DenoisingState<B>,
        next: Option<&DenoisingStep>,
        noise: &Tensor<B, 4>,
    ) -> Result<DenoisingState<B>, DiffusionError> {
        let around = match next {
            Some(step) => step.noised(self.latents.clone(), noise.clone())?,
            None => self.latents.clone(),
        };
        let mask = self.mask.clone();
        let kept = around * (1.0 - mask.clone());
        // Exact where the mask is 0 or 1.
        Ok(state.map_sample(|sample| sample * mask + kept))
    }
}

/// A sum of numbers is one exactly if all of them are; the sample is far from overflowing.
fn require_finite<B: Backend>(
    sample: &Tensor<B, 4>,
    step: usize,
    steps: usize,
) -> Result<(), DiffusionError> {
    let sum: f64 = sample.clone().sum().into_scalar().elem();
    match sum.is_finite() {
        true => Ok(()),
        false => Err(DiffusionError::NonFinite { step, steps }),
    }
}
