//! Sampling along the probability flow, with as much fresh noise as one likes.
//!
//! References: Song et al. 2021 (<https://arxiv.org/abs/2010.02502>), equations 12 and 16;
//! `DDIMScheduler` of diffusers.

use super::{
    DenoisingPlan, Next, NoiseLevel, NoiseSchedule, ScheduleError, Scheduler, Timesteps,
    path::{Path, Stage},
};

/// DDIM.
///
/// Steps lead from one visited timestep to the next. The reference always goes `trained / steps`
/// timesteps further, which is not the same for [`Timesteps::Linspace`], nor for
/// [`Timesteps::Trailing`] if the steps do not divide the timesteps: there it tells the model
/// another noise than the sample has.
///
/// If the configuration clips, so does the noise that is put back follow from the clipped
/// estimate: the reference's `use_clipped_model_output`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ddim {
    /// The timesteps to visit.
    pub timesteps: Timesteps,
    /// How much of DDPM's noise is added at a step, 0 to 1: none makes the sample a function of
    /// the initial noise.
    pub eta: f64,
}

impl Default for Ddim {
    /// Leading timesteps without an offset, no fresh noise.
    fn default() -> Self {
        Self {
            timesteps: Timesteps::Leading { offset: 0 },
            eta: 0.0,
        }
    }
}

impl Scheduler for Ddim {
    fn plan(&self, schedule: &NoiseSchedule, steps: usize) -> Result<DenoisingPlan, ScheduleError> {
        if !(0.0..=1.0).contains(&self.eta) {
            return Err(ScheduleError::Setting {
                name: "eta",
                value: self.eta,
                requirement: "0 to 1",
            });
        }
        let end = if schedule.config().set_alpha_to_one {
            NoiseLevel::CLEAN
        } else {
            schedule.level(0)?
        };
        let path = Path::whole(schedule, self.timesteps, steps, end)?;
        let step = |(stage, end): (Stage, NoiseLevel)| stage.step(schedule, self.next(stage, end));
        Ok(DenoisingPlan {
            initial_noise_scale: 1.0,
            steps: path.steps().map(step).collect(),
        })
    }
}

impl Ddim {
    fn next(&self, stage: Stage, end: NoiseLevel) -> Next {
        let start = stage.level;
        let alpha = start.alpha_cumprod() / end.alpha_cumprod();
        let variance = end.noise_variance() / start.noise_variance() * (1.0 - alpha);
        let fresh = self.eta * variance.max(0.0).sqrt();
        // What is left of the noise that the sample has, ε = (x − signal · x₀) / noise.
        let left = (end.noise_variance() - fresh * fresh).max(0.0).sqrt();
        let sample = left / start.noise;
        Next {
            sample,
            denoised: end.signal - sample * start.signal,
            previous_denoised: 0.0,
            noise: fresh,
        }
    }
}
