//! What can go wrong before and after training.

use std::path::PathBuf;

use mpm_train::{BoxError, MemoryEstimate};

/// An error of this program's own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The folder holds a run already.
    #[error(
        "{} holds a run that has made {step} steps: go on with it by --resume, or choose \
         another folder by --run",
        folder.display()
    )]
    HoldsRun {
        /// The folder.
        folder: PathBuf,
        /// Steps of its newest checkpoint.
        step: usize,
    },

    /// There is nothing to go on with.
    #[error("{} holds no checkpoint to resume from; leave --resume out to begin", folder.display())]
    NothingToResume {
        /// The folder.
        folder: PathBuf,
    },

    /// The run would not fit into memory.
    #[error(
        "the run needs about {} MiB, but there are {} MiB:\n{estimate}\nlower `batch.micro` or \
         `batch.threads`, set `recompute`, train fewer parameters, or compute in bf16; \
         --memory says how much there is",
        .estimate.total() >> 20,
        .available >> 20
    )]
    TooLarge {
        /// What it is made of.
        estimate: Box<MemoryEstimate>,
        /// Bytes that there are.
        available: u64,
    },

    /// The recipe names a part that the model does not have.
    #[error(
        "the model has no part `{part}`, it has {known}; see `model.weights` and `recompute` of \
         the recipe"
    )]
    UnknownPart {
        /// The part.
        part: String,
        /// Those that it has.
        known: &'static str,
    },

    /// The data has no batch to show.
    #[error("the data has no usable example")]
    NoBatch,

    /// A worker has panicked, which is a bug.
    #[error("worker {rank} panicked: this is a bug, please report it")]
    Panic {
        /// Its number.
        rank: usize,
    },

    /// A file could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },

    /// A model could not be read or written.
    #[error("the model in {} cannot be used", folder.display())]
    Model {
        /// Its folder.
        folder: PathBuf,
        /// Why.
        source: BoxError,
    },
}
