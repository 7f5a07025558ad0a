//! Noise schedules and samplers.
//!
//! A model is trained with a [`NoiseSchedule`]. A [`Scheduler`] makes a [`DenoisingPlan`] of it:
//! for every step the timestep that the model is told and a handful of factors, because one step
//! of each sampler here is linear in the sample, the model's output, the estimate of the clean
//! sample at this step and at the one before, and fresh noise. [`DenoisingState`] is the only code
//! that touches tensors, and the same for all samplers.
//!
//! So samplers carry no state that a second picture could find in disorder, a plan can be printed,
//! compared and entered in the middle, and its factors, computed in f64 on the host, do not depend
//! on the backend. [`SchedulerKind`] names the samplers for users.
//!
//! | name | sampler | fresh noise | default timesteps for 1000 trained, 50 steps |
//! |---|---|---|---|
//! | `ddpm` | [`Ddpm`] | at all steps but the last | 980, 960, … 0 |
//! | `ddim` | [`Ddim`] | as much as `eta` says, none by default | 980, 960, … 0, plus `steps_offset` |
//! | `euler` | [`Euler`] | none | 999, 978.6, … 0 |
//! | `euler-a` | [`EulerAncestral`] | at all steps but the last | 999, 978.6, … 0 |
//! | `dpm++2m` | [`DpmSolver::Spaced`] | none | 999, 979, … 20 |
//! | `dpm++2m-karras` | [`DpmSolver::Karras`] | none | 999, 985, … 0, closer at the end |
//! | `lcm` | [`Lcm`] | at all steps but the last | 999, 979, … 19 |

mod config;
mod ddim;
mod ddpm;
mod dpm_solver;
mod error;
mod euler;
mod kind;
mod lcm;
mod noise_level;
mod noise_schedule;
mod path;
mod plan;
mod state;
#[cfg(test)]
mod tests;
mod timesteps;

pub use config::{
    BetaSchedule, MAX_TRAIN_TIMESTEPS, NoiseScheduleConfig, PredictionType, TimestepSpacing,
    VarianceType,
};
pub use ddim::Ddim;
pub use ddpm::Ddpm;
pub use dpm_solver::{DpmSolver, PathEnd};
pub use error::ScheduleError;
pub use euler::{Euler, EulerAncestral};
pub use kind::{Convention, SchedulerKind};
pub use lcm::Lcm;
pub use noise_level::NoiseLevel;
pub use noise_schedule::NoiseSchedule;
pub use plan::{Denoised, DenoisingPlan, DenoisingStep, Next, Scheduler};
pub use state::DenoisingState;
pub use timesteps::Timesteps;
