//! Which files a repository has.

use serde::Deserialize;

use super::{checksum::is_commit, reference::check_file, remote_file::shown};

/// The files of a repository at a commit.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    #[serde(rename = "sha")]
    pub(super) commit: String,
    #[serde(rename = "siblings")]
    files: Vec<File>,
}

#[derive(Debug, Deserialize)]
struct File {
    #[serde(rename = "rfilename")]
    path: String,
}

impl Listing {
    /// Reads what the Hub sends, or says what is wrong.
    pub(super) fn parse(json: &[u8]) -> Result<Self, String> {
        let listing: Self = serde_json::from_slice(json)
            .map_err(|error| format!("its list of files cannot be read: {error}"))?;
        match is_commit(&listing.commit) {
            true => Ok(listing),
            false => Err(format!("`{}` is no commit", shown(&listing.commit))),
        }
    }

    /// The paths of a folder's files, relative to it; an empty path is the repository's. Names
    /// that a cache cannot have are left out.
    pub(super) fn within(&self, folder: &str) -> Vec<&str> {
        let paths = self.files.iter().map(|file| file.path.as_str());
        let paths = paths.filter_map(|path| match folder {
            "" => Some(path),
            folder => path.strip_prefix(folder)?.strip_prefix('/'),
        });
        paths.filter(|path| check_file(path).is_ok()).collect()
    }
}
