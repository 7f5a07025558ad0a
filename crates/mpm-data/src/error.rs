//! The error type of this crate.

use std::path::PathBuf;

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
}
