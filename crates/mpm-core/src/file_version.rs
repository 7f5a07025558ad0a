//! Telling whether a file is the one that it was.

use std::{
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use serde::{Deserialize, Serialize};

/// A file or a folder as it is now. Weights may take gigabytes, so their content is not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileVersion {
    path: PathBuf,
    bytes: u64,
    /// Seconds since 1970.
    modified: Option<u64>,
}

impl FileVersion {
    /// Looks at a file or a folder; what cannot be looked at has no size.
    pub fn of(path: &Path) -> Self {
        let data = fs::metadata(path).ok();
        let modified = data.as_ref().and_then(|data| data.modified().ok());
        let since = modified.and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self {
            path: fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()),
            bytes: data.map_or(0, |data| data.len()),
            modified: since.map(|since| since.as_secs()),
        }
    }
}
