//! DPM-Solver++(2M): a multistep method of second order on the probability flow.
//!
//! References: Lu et al. 2022 (<https://arxiv.org/abs/2211.01095>), algorithm 2;
//! `DPMSolverMultistepScheduler` of diffusers with `solver_order` 2 and `solver_type` midpoint.

use serde::{Deserialize, Serialize};

use super::{
    Convention, DenoisingPlan, Next, NoiseLevel, NoiseSchedule, ScheduleError, Scheduler,
    Timesteps,
    config::require,
    path::{Path, check_steps},
};

/// With fewer steps than this, the last one is of first order, which is steadier: diffusers'
/// `lower_order_final`.
const FEW_STEPS: usize = 15;

/// DPM-Solver++(2M).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DpmSolver {
    /// Between evenly spaced whole timesteps. A schedule whose
    /// [`lambda_min_clipped`](super::NoiseScheduleConfig::lambda_min_clipped) leaves some of them
    /// out is refused.
    Spaced {
        /// The timesteps to visit.
        timesteps: Timesteps,
        /// Where the last step ends.
        end: PathEnd,
    },
    /// Between the noise levels of Karras et al., from the schedule's noisiest timestep to its
    /// first.
    ///
    /// diffusers 0.15 rounds these levels to whole timesteps, which later releases mended.
    Karras {
        /// Where the step behind the first timestep ends.
        end: PathEnd,
        /// Whose whole timesteps the model is told: with
        /// [`BetaSchedule::SquaredcosCapV2`](super::BetaSchedule), [`Convention::Current`] rounds
        /// them down, and to the nearest otherwise.
        convention: Convention,
    },
}

/// Where the last step of a plan ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PathEnd {
    /// At the clean sample: `final_sigmas_type` zero of diffusers 0.26 and later.
    #[serde(rename = "zero")]
    Clean,
    /// At the noise of timestep 0: diffusers before, and `final_sigmas_type` sigma_min.
    #[serde(rename = "sigma_min")]
    FirstTimestep,
}

impl PathEnd {
    /// How much noise is left.
    pub(super) fn level(self, schedule: &NoiseSchedule) -> Result<NoiseLevel, ScheduleError> {
        match self {
            Self::Clean => Ok(NoiseLevel::CLEAN),
            Self::FirstTimestep => schedule.level(0),
        }
    }
}

impl Default for DpmSolver {
    /// As in diffusers 0.15: timesteps from the last to the first, ending at the first.
    fn default() -> Self {
        Self::Spaced {
            timesteps: Timesteps::Linspace,
            end: PathEnd::FirstTimestep,
        }
    }
}

impl Scheduler for DpmSolver {
    fn plan(&self, schedule: &NoiseSchedule, steps: usize) -> Result<DenoisingPlan, ScheduleError> {
        let (path, end) = self.path(schedule, steps)?;
        let last_is_first_order = steps < FEW_STEPS || end == PathEnd::Clean;
        let mut before: Option<NoiseLevel> = None;
        let mut planned = Vec::with_capacity(steps);
        for (i, (stage, end)) in path.steps().enumerate() {
            let first_order = i + 1 == steps && last_is_first_order;
            let before = before.replace(stage.level).filter(|_| !first_order);
            planned.push(stage.step(schedule, next(before, stage.level, end)));
        }
        Ok(DenoisingPlan {
            initial_noise_scale: 1.0,
            steps: planned,
        })
    }
}

impl DpmSolver {
    fn path(
        &self,
        schedule: &NoiseSchedule,
        steps: usize,
    ) -> Result<(Path, PathEnd), ScheduleError> {
        match *self {
            Self::Karras { end, convention } => {
                let level = end.level(schedule)?;
                Ok((Path::karras(schedule, steps, level, convention)?, end))
            }
            Self::Spaced { timesteps, end } => {
                let trained = schedule.num_train_timesteps();
                check_steps(steps, trained)?;
                require_unclipped(schedule)?;
                let level = end.level(schedule)?;
                let visited = timesteps.before_end(steps, trained);
                Ok((Path::new(schedule, &visited, level)?, end))
            }
        }
    }
}

/// An error if the reference would leave out timesteps, those with more noise than allowed.
fn require_unclipped(schedule: &NoiseSchedule) -> Result<(), ScheduleError> {
    let Some(least) = schedule.config().lambda_min_clipped else {
        return Ok(());
    };
    let noisiest = schedule.level(schedule.num_train_timesteps() - 1)?;
    require(
        least <= -noisiest.sigma().ln(),
        "lambda_min_clipped",
        &least,
        "clipping is not supported; leave it out, or choose another sampler",
    )
}

/// A step of second order, or of first order if there is no step before.
fn next(before: Option<NoiseLevel>, start: NoiseLevel, end: NoiseLevel) -> Next {
    let shrink = end.sigma() / start.sigma();
    // The paper's −α (e^(−h) − 1), where h is the logarithm of 1 / shrink.
    let denoised = end.signal * (1.0 - shrink);
    // 1 / (2r), r the ratio of the lengths of both steps in h.
    let beyond = before.map_or(0.0, |before| {
        0.5 * shrink.ln() / (start.sigma() / before.sigma()).ln()
    });
    Next {
        sample: end.noise / start.noise,
        denoised: denoised * (1.0 + beyond),
        previous_denoised: -denoised * beyond,
        noise: 0.0,
    }
}
