//! The errors of this crate.

use thiserror::Error;

use crate::schedule::ScheduleError;

/// What can go wrong between a configuration, a text and a picture.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DiffusionError {
    /// A configuration that describes no model, or one that this crate does not have.
    #[error("invalid {part} configuration: {reason}")]
    Config {
        /// The part of the model.
        part: &'static str,
        /// What is wrong with it.
        reason: String,
    },

    /// A tensor of a shape that the model was not built for.
    #[error("{what} must be of shape {expected}, but is {found:?}")]
    Shape {
        /// The tensor.
        what: &'static str,
        /// Its sizes, with names where they are free.
        expected: String,
        /// The sizes that came.
        found: Vec<usize>,
    },

    /// A guidance scale that is no number.
    #[error("the guidance scale is {scale}, but must be a finite number; 7.5 is usual, 1 is none")]
    Guidance {
        /// The scale.
        scale: f64,
    },

    /// A noise schedule or sampler, or how it is used.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),

    /// The sample ceased to be numbers.
    #[error(
        "the sample is no longer finite after step {step} of {steps}; compute in f32 or bf16 \
         instead of f16, or lower the guidance scale"
    )]
    NonFinite {
        /// The step, counted from 1.
        step: usize,
        /// The number of steps.
        steps: usize,
    },

    /// What the autoencoder computed is no number.
    #[error(
        "{what} are no finite numbers; compute in f32 or bf16 instead of f16: use --dtype f32 or \
         --dtype bf16"
    )]
    NonFiniteAutoencoder {
        /// What it computed.
        what: &'static str,
    },
}

impl DiffusionError {
    pub(crate) fn config(part: &'static str, reason: impl Into<String>) -> Self {
        Self::Config {
            part,
            reason: reason.into(),
        }
    }
}
