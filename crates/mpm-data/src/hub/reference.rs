//! What a file of the Hub is called.

use std::{fmt, str::FromStr};

use super::{HubRepo, ReferenceError, repo::Parts};

/// What leads out of a folder on some systems.
const NOT_IN_FILES: &str = "\\:";

/// A file of a repository: `hf://org/repo/file`, `hf://org/repo@revision/file`, and the same
/// after `hf://datasets/`. Its parts are safe to be parts of paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HubReference {
    repo: HubRepo,
    file: String,
}

impl HubReference {
    /// A file, whose path has `/` between its parts.
    ///
    /// # Errors
    /// [`ReferenceError::File`] for a path that no repository could have, or that would leave its
    /// folder.
    pub fn new(repo: HubRepo, file: &str) -> Result<Self, ReferenceError> {
        check_file(file).map_err(|reason| ReferenceError::File {
            file: file.to_owned(),
            reason,
        })?;
        let file = file.to_owned();
        Ok(Self { repo, file })
    }

    /// Whether a text begins as references do.
    pub fn recognises(text: &str) -> bool {
        HubRepo::recognises(text)
    }

    /// Whose file it is.
    pub fn repo(&self) -> &HubRepo {
        &self.repo
    }

    /// The path in the repository, with `/`.
    pub fn file(&self) -> &str {
        &self.file
    }
}

impl FromStr for HubReference {
    type Err = ReferenceError;

    fn from_str(given: &str) -> Result<Self, ReferenceError> {
        let parts = Parts::of(given)?;
        let file = parts.path.filter(|file| !file.is_empty());
        let file = file.ok_or_else(|| ReferenceError::Incomplete {
            given: given.to_owned(),
        })?;
        Self::new(parts.repo()?, file)
    }
}

impl fmt::Display for HubReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.repo, self.file)
    }
}

/// Checks a path in a repository.
pub(super) fn check_file(file: &str) -> Result<(), &'static str> {
    if file.contains(|char: char| char.is_control() || NOT_IN_FILES.contains(char)) {
        return Err("it has control characters, `\\` or `:`");
    }
    if file.split('/').any(|part| ["", ".", ".."].contains(&part)) {
        return Err("one of its parts is empty, `.` or `..`");
    }
    Ok(())
}
