//! The error type of this crate.

use std::path::PathBuf;

use crate::dataset::{DatasetError, MixError};
use crate::emoji::EmojiError;
use crate::parallel::ParallelError;
use crate::picture::PictureError;
use crate::translate::TranslationError;

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
    /// Data sets make no mixture.
    #[error("mixture of data sets: {0}")]
    Mix(#[from] MixError),
    /// A data set of a mixture could not be read.
    #[error("`{name}` of the mixture: {source}")]
    Member {
        /// What the mixture calls it.
        name: String,
        /// What is wrong.
        source: Box<DataError>,
    },
    /// The emoji picture-text set could not be built, read or drawn from.
    #[error("emoji set {}: {source}", path.display())]
    Emoji {
        /// The file or folder concerned.
        path: PathBuf,
        /// What is wrong.
        source: EmojiError,
    },
    /// The threads that prepare examples could not be started.
    #[error("the threads that prepare examples could not be started; ask for fewer")]
    Threads(#[source] rayon::ThreadPoolBuildError),

    /// Parallel sentences could not be read.
    #[error("parallel sentences {}: {source}", path.display())]
    Parallel {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ParallelError,
    },
    /// A file of the Hugging Face Hub could not be had.
    #[cfg(feature = "hub")]
    #[error("Hugging Face Hub: {0}")]
    Hub(#[from] crate::hub::HubError),
    /// A data set could not be translated.
    #[error("translation: {0}")]
    Translation(#[from] TranslationError),
}
