//! Ancestral sampling: every step takes away noise and adds a little.
//!
//! References: Ho et al. 2020 (<https://arxiv.org/abs/2006.11239>), equation 7; `DDPMScheduler` of
//! diffusers.

use super::{
    DenoisingPlan, Next, NoiseLevel, NoiseSchedule, ScheduleError, Scheduler, Timesteps,
    VarianceType,
    path::{Path, Stage},
};

/// DDPM, with the variance that the schedule's configuration names.
///
/// ```
/// use mpm_diffusion::schedule::{Ddpm, NoiseSchedule, NoiseScheduleConfig, Scheduler};
///
/// let schedule = NoiseSchedule::new(NoiseScheduleConfig::stable_diffusion())?;
/// let plan = Ddpm::default().plan(&schedule, 50)?;
/// let timesteps: Vec<f64> = plan.steps.iter().map(|step| step.timestep).collect();
/// assert_eq!(timesteps[..3], [980.0, 960.0, 940.0]);
/// assert_eq!(plan.steps[49].next.noise, 0.0);
/// # Ok::<(), mpm_diffusion::schedule::ScheduleError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ddpm {
    /// The timesteps to visit.
    pub timesteps: Timesteps,
}

impl Default for Ddpm {
    /// As in VisCPM: leading timesteps without an offset, whatever the configuration says.
    fn default() -> Self {
        Self {
            timesteps: Timesteps::Leading { offset: 0 },
        }
    }
}

impl Scheduler for Ddpm {
    fn plan(&self, schedule: &NoiseSchedule, steps: usize) -> Result<DenoisingPlan, ScheduleError> {
        let path = Path::whole(schedule, self.timesteps, steps, NoiseLevel::CLEAN)?;
        let variance_type = schedule.config().variance_type;
        let step = |(stage, end): (Stage, NoiseLevel)| {
            let noise_variance = stage.level.noise_variance();
            let alpha = stage.level.alpha_cumprod() / end.alpha_cumprod();
            let beta = 1.0 - alpha;
            let kept = end.noise_variance() / noise_variance;
            let variance = match variance_type {
                VarianceType::FixedSmall => kept * beta,
                // The reference adds none at timestep 0 only, wherever the plan ends.
                VarianceType::FixedLarge if stage.timestep > 0.0 => beta,
                VarianceType::FixedLarge => 0.0,
            };
            let next = Next {
                sample: alpha.sqrt() * kept,
                denoised: end.signal * beta / noise_variance,
                previous_denoised: 0.0,
                noise: variance.sqrt(),
            };
            stage.step(schedule, next)
        };
        Ok(DenoisingPlan {
            initial_noise_scale: 1.0,
            steps: path.steps().map(step).collect(),
        })
    }
}
