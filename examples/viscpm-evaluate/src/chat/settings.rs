//! What answers depend on.

use std::{
    fs,
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use mpm_llm::decoding::DecodingParams;
use serde::Serialize;

/// What answers depend on, beside questions and pictures. A run that goes on with a file of answers
/// must not mix them with those of another model.
#[derive(Clone, Debug, Serialize)]
pub struct Settings<'a> {
    /// The file of the weights.
    pub weights: FileVersion,
    /// The folder of the adapters.
    pub adapter: Option<FileVersion>,
    /// The dtype of the weights on the device, by its name.
    pub dtype: &'a str,
    /// How answers are chosen.
    pub decoding: &'a DecodingParams,
    /// Whether pictures are left out.
    pub without_picture: bool,
}

/// A file or a folder as it is now. Weights may take gigabytes, so their content is not read.
#[derive(Clone, Debug, Serialize)]
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

impl Settings<'_> {
    /// A checksum, for a file of answers.
    ///
    /// # Errors
    /// When a path is no Unicode.
    pub fn checksum(&self) -> Result<String, serde_json::Error> {
        let json = serde_json::to_vec(self)?;
        Ok(format!("{:08x}", crc32fast::hash(&json)))
    }
}
