//! What a file of the Hub is called.

use std::{fmt, str::FromStr};

const SCHEME: &str = "hf://";
/// The revision of references that name none.
const MAIN: &str = "main";
/// The Hub's own limit.
const NAME_LENGTH: usize = 96;
/// What git allows in no revision, and `%`, which stands for itself nowhere in a reference.
const NOT_IN_REVISIONS: &str = "\\ ~^:?*[%@";
/// What leads out of a folder on some systems.
const NOT_IN_FILES: &str = "\\:";

/// What kind of repository it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepoKind {
    /// `hf://org/repo/…`
    Model,
    /// `hf://datasets/org/repo/…`
    Dataset,
}

/// A file of a repository: `hf://org/repo/file`, `hf://org/repo@revision/file`, and the same
/// after `hf://datasets/`.
///
/// A `/` in a revision is written `%2F`, except in `refs/pr/…` and `refs/convert/…`. Its parts are
/// safe to be parts of paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HubReference {
    kind: RepoKind,
    repo: String,
    revision: String,
    file: String,
}

/// Why a text names no file of the Hub.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// It begins otherwise.
    #[error("`{given}` does not begin with `hf://`; write hf://org/repo/file")]
    Scheme {
        /// The text.
        given: String,
    },

    /// Neither models nor data sets.
    #[error(
        "`{given}` is in `{kind}/`; only models, hf://org/repo/file, and data sets, \
         hf://datasets/org/repo/file, can be downloaded"
    )]
    Kind {
        /// The text.
        given: String,
        /// What it begins with.
        kind: String,
    },

    /// The repository or the file is missing.
    #[error(
        "`{given}` names no file of a repository; write hf://org/repo/file, or \
         hf://org/repo@revision/file"
    )]
    Incomplete {
        /// The text.
        given: String,
    },

    /// No repository is called so.
    #[error("`{repo}` is no repository: {reason}")]
    Repo {
        /// The name.
        repo: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// No revision is called so.
    #[error("`{revision}` is no revision: {reason}")]
    Revision {
        /// The name.
        revision: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// No file is called so.
    #[error("`{file}` is no file of a repository: {reason}")]
    File {
        /// The name.
        file: String,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl HubReference {
    /// A file of `org/repo` at a branch, a tag or a commit.
    ///
    /// # Errors
    /// [`ReferenceError`] for a part that no repository could have, or that would leave its folder.
    pub fn new(
        kind: RepoKind,
        repo: &str,
        revision: &str,
        file: &str,
    ) -> Result<Self, ReferenceError> {
        check_repo(repo).map_err(|reason| ReferenceError::Repo {
            repo: repo.to_owned(),
            reason,
        })?;
        check_revision(revision).map_err(|reason| ReferenceError::Revision {
            revision: revision.to_owned(),
            reason,
        })?;
        check_file(file).map_err(|reason| ReferenceError::File {
            file: file.to_owned(),
            reason,
        })?;
        Ok(Self {
            kind,
            repo: repo.to_owned(),
            revision: revision.to_owned(),
            file: file.to_owned(),
        })
    }

    /// Whether a text begins as references do.
    pub fn recognises(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// Whose file it is.
    pub fn kind(&self) -> RepoKind {
        self.kind
    }

    /// `org/repo`
    pub fn repo(&self) -> &str {
        &self.repo
    }

    /// A branch, a tag or a commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The path in the repository, with `/`.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Another file of the same repository, at a revision.
    pub(super) fn sibling(&self, revision: &str, file: &str) -> Result<Self, ReferenceError> {
        Self::new(self.kind, &self.repo, revision, file)
    }
}

impl FromStr for HubReference {
    type Err = ReferenceError;

    fn from_str(given: &str) -> Result<Self, ReferenceError> {
        let text = given.strip_prefix(SCHEME);
        let text = text.ok_or_else(|| ReferenceError::Scheme {
            given: given.to_owned(),
        })?;
        let incomplete = || ReferenceError::Incomplete {
            given: given.to_owned(),
        };
        let (first, rest) = text.split_once('/').ok_or_else(incomplete)?;
        let (kind, org, rest) = match first {
            "datasets" => {
                let (org, rest) = rest.split_once('/').ok_or_else(incomplete)?;
                (RepoKind::Dataset, org, rest)
            }
            "models" | "spaces" | "buckets" => {
                return Err(ReferenceError::Kind {
                    given: given.to_owned(),
                    kind: first.to_owned(),
                });
            }
            org => (RepoKind::Model, org, rest),
        };
        let end = rest.find(['/', '@']).ok_or_else(incomplete)?;
        let (name, after) = (&rest[..end], &rest[end + 1..]);
        let (revision, file) = if rest[end..].starts_with('/') {
            (MAIN.to_owned(), after)
        } else {
            split_revision(after).ok_or_else(incomplete)?
        };
        if file.is_empty() {
            return Err(incomplete());
        }
        Self::new(kind, &format!("{org}/{name}"), &revision, file)
    }
}

impl fmt::Display for HubReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            RepoKind::Model => "",
            RepoKind::Dataset => "datasets/",
        };
        write!(f, "{SCHEME}{kind}{}", self.repo)?;
        if is_plain_ref(&self.revision) {
            write!(f, "@{}", self.revision)?;
        } else if self.revision != MAIN {
            write!(f, "@{}", self.revision.replace('/', "%2F"))?;
        }
        write!(f, "/{}", self.file)
    }
}

/// Splits `revision/file`.
fn split_revision(text: &str) -> Option<(String, &str)> {
    let slashes = text.match_indices('/').map(|(at, _)| at);
    if let Some(end) = slashes.clone().nth(2)
        && is_plain_ref(&text[..end])
    {
        return Some((text[..end].to_owned(), &text[end + 1..]));
    }
    let end = slashes.clone().next()?;
    let revision = text[..end].replace("%2F", "/").replace("%2f", "/");
    Some((revision, &text[end + 1..]))
}

/// Whether the `/` of a revision are written as they are: pull requests and converted files.
fn is_plain_ref(revision: &str) -> bool {
    let name = ["refs/pr/", "refs/convert/"]
        .iter()
        .find_map(|prefix| revision.strip_prefix(prefix));
    name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

fn check_repo(repo: &str) -> Result<(), &'static str> {
    let parts: Vec<_> = repo.split('/').collect();
    if parts.len() != 2 {
        return Err("it has to be `org/repo`");
    }
    for part in parts {
        let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
        if !part.starts_with(is_word) || !part.ends_with(is_word) {
            return Err("both names have to begin and end with a letter, a digit or `_`");
        }
        if !part
            .chars()
            .all(|char| is_word(char) || "-.".contains(char))
        {
            return Err("names have letters, digits, `-`, `_` and `.` only");
        }
        if part.len() > NAME_LENGTH {
            return Err("a name has 96 characters at most");
        }
        if part.contains("--") || part.contains("..") || part.ends_with(".git") {
            return Err("names have neither `--` nor `..`, and do not end with `.git`");
        }
    }
    Ok(())
}

fn check_revision(revision: &str) -> Result<(), &'static str> {
    if revision.is_empty() {
        return Err("a branch, a tag or a commit has to follow the `@`");
    }
    let odd = |char: char| char.is_control() || NOT_IN_REVISIONS.contains(char);
    if revision.contains(odd) {
        return Err("it has characters that git does not allow, or `%` other than in `%2F`");
    }
    if revision.contains("..") || revision.ends_with('.') {
        return Err("it has `..`, or a `.` at its end");
    }
    let bad = |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    if revision.split('/').any(bad) {
        return Err("one of its parts is empty, begins with `.` or ends with `.lock`");
    }
    Ok(())
}

fn check_file(file: &str) -> Result<(), &'static str> {
    if file.contains(|char: char| char.is_control() || NOT_IN_FILES.contains(char)) {
        return Err("it has control characters, `\\` or `:`");
    }
    if file.split('/').any(|part| ["", ".", ".."].contains(&part)) {
        return Err("one of its parts is empty, `.` or `..`");
    }
    Ok(())
}
