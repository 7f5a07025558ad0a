//! What a folder of the Hub is called.

use std::{fmt, str::FromStr};

use super::{HubReference, HubRepo, ReferenceError, reference::check_file, repo::Parts};

/// A folder of a repository, or all of it: `hf://org/repo/folder/`, `hf://org/repo`,
/// `hf://org/repo@revision`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HubFolder {
    repo: HubRepo,
    /// Empty for the repository itself.
    path: String,
}

impl HubFolder {
    /// The folder of a path, which has `/` between its parts, or the repository itself if that is
    /// empty.
    ///
    /// # Errors
    /// [`ReferenceError::File`] for a path that no repository could have, or that would leave its
    /// folder.
    pub fn new(repo: HubRepo, path: &str) -> Result<Self, ReferenceError> {
        if !path.is_empty() {
            check_file(path).map_err(|reason| ReferenceError::File {
                file: path.to_owned(),
                reason,
            })?;
        }
        let path = path.to_owned();
        Ok(Self { repo, path })
    }

    /// Whether a text is written as a folder is: one of the Hub, without a file, or with a `/` at
    /// its end.
    pub fn recognises(text: &str) -> bool {
        let parts = Parts::of(text);
        parts.is_ok_and(|parts| parts.path.is_none_or(is_folder))
    }

    /// Whose folder it is.
    pub fn repo(&self) -> &HubRepo {
        &self.repo
    }

    /// The path in the repository, with `/`; empty for the repository itself.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A file of the folder.
    pub(super) fn file(&self, name: &str) -> Result<HubReference, ReferenceError> {
        let path = match self.path.as_str() {
            "" => name.to_owned(),
            folder => format!("{folder}/{name}"),
        };
        HubReference::new(self.repo.clone(), &path)
    }
}

fn is_folder(path: &str) -> bool {
    path.is_empty() || path.ends_with('/')
}

impl FromStr for HubFolder {
    type Err = ReferenceError;

    fn from_str(given: &str) -> Result<Self, ReferenceError> {
        let parts = Parts::of(given)?;
        let path = parts.path.unwrap_or_default();
        Self::new(parts.repo()?, path.strip_suffix('/').unwrap_or(path))
    }
}

impl fmt::Display for HubFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path.as_str() {
            "" => write!(f, "{}", self.repo),
            path => write!(f, "{}/{path}/", self.repo),
        }
    }
}
