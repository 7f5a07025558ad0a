//! The samplers by name.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    Ddim, Ddpm, DpmSolver, Euler, EulerAncestral, Lcm, NoiseScheduleConfig, PathEnd, ScheduleError,
    Scheduler, TimestepSpacing,
};

/// A sampler by the name that a user would type.
///
/// ```
/// use mpm_diffusion::schedule::{
///     Convention, NoiseSchedule, NoiseScheduleConfig, Scheduler, SchedulerKind,
/// };
///
/// let kind: SchedulerKind = "dpm++2m".parse()?;
/// let schedule = NoiseSchedule::new(NoiseScheduleConfig::stable_diffusion())?;
/// let scheduler = kind.scheduler(schedule.config(), Convention::default());
/// let plan = scheduler.plan(&schedule, kind.default_steps())?;
/// assert_eq!(plan.steps.len(), 20);
/// # Ok::<(), mpm_diffusion::schedule::ScheduleError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SchedulerKind {
    /// [`Ddpm`], VisCPM's own.
    #[default]
    #[serde(rename = "ddpm")]
    Ddpm,
    /// [`Ddim`] without fresh noise.
    #[serde(rename = "ddim")]
    Ddim,
    /// [`Euler`].
    #[serde(rename = "euler")]
    Euler,
    /// [`EulerAncestral`].
    #[serde(rename = "euler-a")]
    EulerAncestral,
    /// [`DpmSolver::Spaced`].
    #[serde(rename = "dpm++2m")]
    DpmSolver,
    /// [`DpmSolver::Karras`].
    #[serde(rename = "dpm++2m-karras")]
    DpmSolverKarras,
    /// [`Lcm`], for distilled models only.
    #[serde(rename = "lcm")]
    Lcm,
}

/// Which release of diffusers decides what a configuration leaves to the sampler.
///
/// The tests compare both with the releases themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Convention {
    /// 0.15, which VisCPM pins: every sampler has its own spacing, only DDIM looks at
    /// `steps_offset`, and DPM-Solver++ ends at the noise of timestep 0.
    #[default]
    Pinned,
    /// 0.42: `timestep_spacing` and `steps_offset` count for all samplers that space timesteps
    /// evenly, and Euler and DPM-Solver++ end where `final_sigmas_type` says, else at the clean
    /// sample.
    Current,
}

impl SchedulerKind {
    /// All samplers.
    pub const ALL: [Self; 7] = [
        Self::Ddpm,
        Self::Ddim,
        Self::Euler,
        Self::EulerAncestral,
        Self::DpmSolver,
        Self::DpmSolverKarras,
        Self::Lcm,
    ];

    /// The name, as a command line and a configuration file have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ddpm => "ddpm",
            Self::Ddim => "ddim",
            Self::Euler => "euler",
            Self::EulerAncestral => "euler-a",
            Self::DpmSolver => "dpm++2m",
            Self::DpmSolverKarras => "dpm++2m-karras",
            Self::Lcm => "lcm",
        }
    }

    /// How many steps make a good picture: VisCPM's 50 for DDPM, and what the samplers' authors
    /// use otherwise.
    pub fn default_steps(self) -> usize {
        match self {
            Self::Ddpm | Self::Ddim => 50,
            Self::Euler | Self::EulerAncestral => 30,
            Self::DpmSolver | Self::DpmSolverKarras => 20,
            Self::Lcm => 4,
        }
    }

    /// The sampler for a model with this configuration. [`Lcm`], which 0.15 does not have, is the
    /// same by both conventions.
    pub fn scheduler(
        self,
        config: &NoiseScheduleConfig,
        convention: Convention,
    ) -> Box<dyn Scheduler> {
        // What a sampler visits if it has a spacing of its own, and an offset or none.
        let timesteps = |own: TimestepSpacing, pinned_offset: usize| match convention {
            Convention::Pinned => own.with_offset(pinned_offset),
            Convention::Current => {
                let spacing = config.timestep_spacing.unwrap_or(own);
                spacing.with_offset(config.steps_offset)
            }
        };
        let end = |pinned: PathEnd| match convention {
            Convention::Pinned => pinned,
            Convention::Current => config.final_sigmas_type.unwrap_or(PathEnd::Clean),
        };
        match self {
            Self::Ddpm => Box::new(Ddpm {
                timesteps: timesteps(TimestepSpacing::Leading, 0),
            }),
            Self::Ddim => Box::new(Ddim {
                timesteps: timesteps(TimestepSpacing::Leading, config.steps_offset),
                eta: 0.0,
            }),
            Self::Euler => Box::new(Euler {
                timesteps: timesteps(TimestepSpacing::Linspace, 0),
                end: end(PathEnd::Clean),
            }),
            Self::EulerAncestral => Box::new(EulerAncestral {
                timesteps: timesteps(TimestepSpacing::Linspace, 0),
            }),
            Self::DpmSolver => Box::new(DpmSolver::Spaced {
                timesteps: timesteps(TimestepSpacing::Linspace, 0),
                end: end(PathEnd::FirstTimestep),
            }),
            Self::DpmSolverKarras => Box::new(DpmSolver::Karras {
                end: end(PathEnd::Clean),
                convention,
            }),
            Self::Lcm => {
                let own = Lcm::default();
                let original = config.original_inference_steps;
                Box::new(Lcm {
                    original_inference_steps: original.unwrap_or(own.original_inference_steps),
                    timestep_scaling: config.timestep_scaling.unwrap_or(own.timestep_scaling),
                })
            }
        }
    }
}

impl fmt::Display for SchedulerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for SchedulerKind {
    type Err = ScheduleError;

    fn from_str(name: &str) -> Result<Self, ScheduleError> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| ScheduleError::UnknownScheduler {
            name: name.to_owned(),
        })
    }
}
