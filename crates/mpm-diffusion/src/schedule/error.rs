//! What can be wrong with a schedule, a sampler or the tensors given to them.

use thiserror::Error;

use super::SchedulerKind;

/// Why there is no schedule, no plan or no next sample.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// A configuration that describes no noise schedule, or one this crate does not compute.
    #[error("invalid scheduler configuration: {field} is {value}, but {requirement}")]
    Config {
        /// The offending field, as `scheduler_config.json` names it.
        field: &'static str,
        /// Its value.
        value: String,
        /// What the value has to satisfy.
        requirement: &'static str,
    },

    /// A setting of a sampler that is out of its range.
    #[error("invalid setting of the sampler: {name} is {value}, but must be {requirement}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What the value has to satisfy.
        requirement: &'static str,
    },

    /// A plan without steps.
    #[error("a picture needs at least one denoising step; ask for one or more")]
    NoSteps,

    /// More steps than there are timesteps to take them at.
    #[error("{steps} denoising steps are too many: this sampler takes at most {most}")]
    TooManySteps {
        /// How many were asked for.
        steps: usize,
        /// How many there can be.
        most: usize,
    },

    /// Two steps of a plan at the same noise.
    #[error(
        "two of the {steps} denoising steps fall on timestep {timestep}; ask for fewer steps or \
         for another timestep_spacing"
    )]
    Repeated {
        /// How many were asked for.
        steps: usize,
        /// Where two of them are.
        timestep: f64,
    },

    /// A timestep that the model was not trained with.
    #[error(
        "there is no timestep {timestep}: the last one of the schedule is {last}; if it comes of \
         a plan, ask for fewer steps or a smaller steps_offset"
    )]
    Timestep {
        /// The timestep.
        timestep: usize,
        /// The noisiest one that exists.
        last: usize,
    },

    /// A strength that leaves no step to take, or is none.
    #[error(
        "a strength of {strength} leaves none of the {steps} steps: it must be at most 1, and at \
         least 1/{steps}"
    )]
    Strength {
        /// The strength.
        strength: f64,
        /// The steps of the whole plan.
        steps: usize,
    },

    /// Timesteps that are not one per row of the batch.
    #[error("got {timesteps} timesteps for a batch of {batch}; give one for each row")]
    Rows {
        /// The number of timesteps.
        timesteps: usize,
        /// The rows of the batch.
        batch: usize,
    },

    /// Tensors that belong together and differ in shape.
    #[error("the {what} has shape {found:?}, but the sample has {expected:?}; they must be equal")]
    Shape {
        /// The tensor that does not fit.
        what: &'static str,
        /// `[batch, channels, height, width]` of the sample.
        expected: [usize; 4],
        /// The shape of the tensor that does not fit.
        found: [usize; 4],
    },

    /// A name that no sampler has.
    #[error(
        "there is no sampler `{name}`; the samplers are {}",
        SchedulerKind::ALL.map(SchedulerKind::name).join(", ")
    )]
    UnknownScheduler {
        /// The name.
        name: String,
    },
}
