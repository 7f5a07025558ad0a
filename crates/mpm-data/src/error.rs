//! The error type of this crate.

use std::path::PathBuf;

use crate::dataset::DatasetError;
use crate::emoji::EmojiError;
use crate::picture::PictureError;

/// What can go wrong while data is read and prepared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A picture file could not be turned into a [`Picture`](crate::picture::Picture).
    #[error("picture {}: {source}", path.display())]
    Picture {
        /// The file, or the name of the archive entry, that was read.
        path: PathBuf,
        /// What is wrong with it.
        source: PictureError,
    },
    /// A data set could not be read.
    #[error("data set {}: {source}", path.display())]
    Dataset {
        /// The file concerned.
        path: PathBuf,
        /// What is wrong.
        source: DatasetError,
    },
    /// Data sets cannot be mixed as asked for.
    #[error("data set `{name}` of the mix: {reason}")]
    Mix {
        /// The member's name.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The threads that prepare pictures cannot be started.
    #[error("the workers cannot be started: {0}; ask for fewer")]
    Workers(#[source] rayon::ThreadPoolBuildError),
    /// The emoji picture-text set could not be built, read or drawn from.
    #[error("emoji set {}: {source}", path.display())]
    Emoji {
        /// The file or folder concerned.
        path: PathBuf,
        /// What is wrong.
        source: EmojiError,
    },
}

impl DataError {
    pub(crate) fn mix(name: &str, reason: &'static str) -> Self {
        Self::Mix {
            name: name.to_owned(),
            reason,
        }
    }
}
