//! What can go wrong with adapters.

use std::path::PathBuf;

use crate::{model_folder::FolderError, weights::WeightsError};

/// Why adapters could not be attached, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoraError {
    /// No linear layer was chosen.
    #[error("no linear layer is a target of the adapters; name some, such as `llm.**.project_q`")]
    NoTarget,

    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },

    /// The configuration is no JSON, or not one of PEFT's.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },

    /// The configuration asks for what is not computed here.
    #[error(
        "{}: `{field}` is {value}; only plain LoRA can be used, with one rank and without biases",
        path.display()
    )]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The field.
        field: &'static str,
        /// What it says.
        value: String,
    },

    /// The folder could not be written.
    #[error(transparent)]
    Folder(#[from] FolderError),

    /// The weights could not be read.
    #[error(transparent)]
    Weights(#[from] WeightsError),

    /// The file's adapters are not this model's.
    #[error("{}: `{key}` {reason}; it is an adapter of another model", path.display())]
    Mismatch {
        /// The file.
        path: PathBuf,
        /// The name of a matrix.
        key: String,
        /// What does not fit.
        reason: String,
    },

    /// The file has adapters of one layer under two names.
    #[error(
        "{}: `{key}` belongs to the same layer as the adapter of `{other}`; remove one of the two",
        path.display()
    )]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The name of a matrix.
        key: String,
        /// The layer's other name in the file.
        other: String,
    },
}
