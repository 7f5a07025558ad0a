//! The errors of this crate.

use thiserror::Error;

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
}

impl DiffusionError {
    pub(crate) fn config(part: &'static str, reason: impl Into<String>) -> Self {
        Self::Config {
            part,
            reason: reason.into(),
        }
    }
}
