//! Sampling from latent consistency models: a model that was distilled to go from any noise to
//! the clean sample at once, and fresh noise before each further step.
//!
//! References: Luo et al. 2023 (<https://arxiv.org/abs/2310.04378>); `LCMScheduler` of diffusers.

use super::{
    DenoisingPlan, Next, NoiseLevel, NoiseSchedule, ScheduleError, Scheduler,
    path::{Path, Stage, check_steps},
};

/// The standard deviation of clean samples that the boundary condition assumes.
const SIGMA_DATA: f64 = 0.5;

/// Multistep consistency sampling.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lcm {
    /// The steps of the sampler that the model was distilled from; a plan visits some of its
    /// timesteps. 1 to the schedule's `num_train_timesteps`.
    pub original_inference_steps: usize,
    /// Timesteps are multiplied by this in the boundary condition; above 0. Large values make the
    /// result the estimate of the clean sample alone.
    pub timestep_scaling: f64,
}

impl Default for Lcm {
    /// As published models were distilled: from 50 steps, scaling 10.
    fn default() -> Self {
        Self {
            original_inference_steps: 50,
            timestep_scaling: 10.0,
        }
    }
}

impl Scheduler for Lcm {
    fn plan(&self, schedule: &NoiseSchedule, steps: usize) -> Result<DenoisingPlan, ScheduleError> {
        self.validate(schedule)?;
        check_steps(steps, self.original_inference_steps)?;
        let visited = self.timesteps(schedule, steps);
        let path = Path::new(schedule, &visited, NoiseLevel::CLEAN)?;
        let step = |(stage, end): (Stage, NoiseLevel)| {
            let scaled = stage.timestep * self.timestep_scaling;
            let norm = scaled.hypot(SIGMA_DATA);
            let next = Next {
                sample: end.signal * (SIGMA_DATA / norm).powi(2),
                denoised: end.signal * scaled / norm,
                previous_denoised: 0.0,
                noise: end.noise,
            };
            stage.step(schedule, next)
        };
        Ok(DenoisingPlan {
            initial_noise_scale: 1.0,
            steps: path.steps().map(step).collect(),
        })
    }
}

impl Lcm {
    /// Evenly chosen from the timesteps of the distillation, which are counted down from the
    /// last one of the schedule.
    fn timesteps(&self, schedule: &NoiseSchedule, steps: usize) -> Vec<f64> {
        let original = self.original_inference_steps;
        let ratio = schedule.num_train_timesteps() / original;
        let timestep = |i: usize| ((original - i * original / steps) * ratio - 1) as f64;
        (0..steps).map(timestep).collect()
    }

    fn validate(&self, schedule: &NoiseSchedule) -> Result<(), ScheduleError> {
        let original = self.original_inference_steps;
        if !(1..=schedule.num_train_timesteps()).contains(&original) {
            return Err(ScheduleError::Setting {
                name: "original_inference_steps",
                value: original as f64,
                requirement: "1 to the schedule's num_train_timesteps",
            });
        }
        if !(self.timestep_scaling > 0.0 && self.timestep_scaling.is_finite()) {
            return Err(ScheduleError::Setting {
                name: "timestep_scaling",
                value: self.timestep_scaling,
                requirement: "a finite number above 0",
            });
        }
        Ok(())
    }
}
