//! Euler's method on the probability flow in terms of `σ`, alone and with fresh noise.
//!
//! The sample is `x₀ + σ · ε`: its variance is not kept, so the model is shown it scaled down.
//!
//! References: Karras et al. 2022 (<https://arxiv.org/abs/2206.00364>), algorithm 2;
//! `EulerDiscreteScheduler` and `EulerAncestralDiscreteScheduler` of diffusers.

use super::{
    DenoisingPlan, Next, NoiseLevel, NoiseSchedule, PathEnd, ScheduleError, Scheduler, Timesteps,
    path::{Path, Stage, check_steps},
};

/// Euler's method: deterministic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Euler {
    /// The timesteps to visit, between whole ones where the spacing says so.
    pub timesteps: Timesteps,
    /// Where the last step ends.
    pub end: PathEnd,
}

/// Euler's method down to less noise than the next step begins with, and fresh noise for the
/// rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EulerAncestral {
    /// The timesteps to visit, between whole ones where the spacing says so.
    pub timesteps: Timesteps,
}

impl Default for Euler {
    /// Timesteps from the last to the first, and from there to the clean sample.
    fn default() -> Self {
        Self {
            timesteps: Timesteps::Linspace,
            end: PathEnd::Clean,
        }
    }
}

impl Default for EulerAncestral {
    /// Timesteps from the last to the first.
    fn default() -> Self {
        Self {
            timesteps: Timesteps::Linspace,
        }
    }
}

impl Scheduler for Euler {
    fn plan(&self, schedule: &NoiseSchedule, steps: usize) -> Result<DenoisingPlan, ScheduleError> {
        let end = self.end.level(schedule)?;
        plan(schedule, self.timesteps, steps, end, |_, end| (end, 0.0))
    }
}

impl Scheduler for EulerAncestral {
    fn plan(&self, schedule: &NoiseSchedule, steps: usize) -> Result<DenoisingPlan, ScheduleError> {
        let end = NoiseLevel::CLEAN;
        plan(schedule, self.timesteps, steps, end, |start, end| {
            let variance = end * end;
            let fresh = variance * (1.0 - variance / (start * start));
            ((variance - fresh).max(0.0).sqrt(), fresh.sqrt())
        })
    }
}

/// `split` says, for a step from one sigma to another, down to which sigma Euler's method goes
/// and how much fresh noise is added.
fn plan(
    schedule: &NoiseSchedule,
    timesteps: Timesteps,
    steps: usize,
    end: NoiseLevel,
    split: fn(f64, f64) -> (f64, f64),
) -> Result<DenoisingPlan, ScheduleError> {
    let trained = schedule.num_train_timesteps();
    check_steps(steps, trained)?;
    let visited = timesteps.spaced(steps, trained);
    let path = Path::new(schedule, &visited, end)?;
    let step = |(stage, end): (Stage, NoiseLevel)| {
        let sigma = stage.level.sigma();
        let (down, fresh) = split(sigma, end.sigma());
        let next = Next {
            sample: down / sigma,
            denoised: 1.0 - down / sigma,
            previous_denoised: 0.0,
            noise: fresh,
        };
        stage.step_in_sigma(schedule, next)
    };
    let start = path.start();
    Ok(DenoisingPlan {
        initial_noise_scale: match timesteps {
            // Not the noisiest timestep, at which the picture's own variance counts for nothing.
            Timesteps::Leading { .. } => start.sigma().hypot(1.0),
            Timesteps::Trailing | Timesteps::Linspace => start.sigma(),
        },
        steps: path.steps().map(step).collect(),
    })
}
