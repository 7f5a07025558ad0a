//! A repository of the Hub, and which state of it.

use std::fmt;

use super::ReferenceError;

const SCHEME: &str = "hf://";
/// The revision of references that name none.
const MAIN: &str = "main";
/// The Hub's own limit.
const NAME_LENGTH: usize = 96;
/// What git allows in no revision, and `%`, which stands for itself nowhere in a reference.
const NOT_IN_REVISIONS: &str = "\\ ~^:?*[%@";

/// What kind of repository it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RepoKind {
    /// `hf://org/repo/…`
    Model,
    /// `hf://datasets/org/repo/…`
    Dataset,
}

/// A repository at a branch, a tag or a commit: `hf://org/repo`, `hf://org/repo@revision`, and the
/// same after `hf://datasets/`.
///
/// A `/` in a revision is written `%2F`, except in `refs/pr/…` and `refs/convert/…`. Its parts are
/// safe to be parts of paths.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HubRepo {
    kind: RepoKind,
    name: String,
    revision: String,
}

impl HubRepo {
    /// `org/repo` at a branch, a tag or a commit.
    ///
    /// # Errors
    /// [`ReferenceError`] for a part that no repository could have, or that would leave its folder.
    pub fn new(kind: RepoKind, name: &str, revision: &str) -> Result<Self, ReferenceError> {
        check_name(name).map_err(|reason| ReferenceError::Repo {
            repo: name.to_owned(),
            reason,
        })?;
        check_revision(revision).map_err(|reason| ReferenceError::Revision {
            revision: revision.to_owned(),
            reason,
        })?;
        Ok(Self {
            kind,
            name: name.to_owned(),
            revision: revision.to_owned(),
        })
    }

    /// Whether a text begins as references do.
    pub(super) fn recognises(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// What it has.
    pub fn kind(&self) -> RepoKind {
        self.kind
    }

    /// `org/repo`
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A branch, a tag or a commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// The same repository at another revision.
    pub(super) fn at(&self, revision: &str) -> Result<Self, ReferenceError> {
        Self::new(self.kind, &self.name, revision)
    }
}

/// As it is written before a path.
impl fmt::Display for HubRepo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            RepoKind::Model => "",
            RepoKind::Dataset => "datasets/",
        };
        write!(f, "{SCHEME}{kind}{}", self.name)?;
        if is_plain_ref(&self.revision) {
            write!(f, "@{}", self.revision)
        } else if self.revision != MAIN {
            write!(f, "@{}", self.revision.replace('/', "%2F"))
        } else {
            Ok(())
        }
    }
}

/// A reference taken apart, unchecked.
pub(super) struct Parts<'a> {
    kind: RepoKind,
    name: String,
    revision: String,
    /// What stands behind the repository and a `/`; `None` without that `/`.
    pub(super) path: Option<&'a str>,
}

impl<'a> Parts<'a> {
    /// Takes a text apart.
    ///
    /// # Errors
    /// [`ReferenceError`] for one that names no repository.
    pub(super) fn of(given: &'a str) -> Result<Self, ReferenceError> {
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
        let end = rest.find(['/', '@']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let (revision, path) = match after.strip_prefix('@') {
            Some(after) => split_revision(after),
            None => (MAIN.to_owned(), after.strip_prefix('/')),
        };
        Ok(Self {
            kind,
            name: format!("{org}/{name}"),
            revision,
            path,
        })
    }

    /// # Errors
    /// Those of [`HubRepo::new`].
    pub(super) fn repo(&self) -> Result<HubRepo, ReferenceError> {
        HubRepo::new(self.kind, &self.name, &self.revision)
    }
}

/// Splits `revision/path`.
fn split_revision(text: &str) -> (String, Option<&str>) {
    let slashes = text.match_indices('/').map(|(at, _)| at);
    let ends = slashes.chain([text.len()]);
    // Where the third part ends; otherwise where the first one does.
    let plain = ends
        .clone()
        .nth(2)
        .filter(|&end| is_plain_ref(&text[..end]));
    let end = plain.or_else(|| ends.clone().next()).unwrap_or(text.len());
    let revision = match plain {
        Some(end) => text[..end].to_owned(),
        None => text[..end].replace("%2F", "/").replace("%2f", "/"),
    };
    (revision, text[end..].strip_prefix('/'))
}

/// Whether the `/` of a revision are written as they are: pull requests and converted files.
fn is_plain_ref(revision: &str) -> bool {
    let name = ["refs/pr/", "refs/convert/"]
        .iter()
        .find_map(|prefix| revision.strip_prefix(prefix));
    name.is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

fn check_name(name: &str) -> Result<(), &'static str> {
    let parts: Vec<_> = name.split('/').collect();
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
