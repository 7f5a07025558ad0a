//! The cache that all programs share.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use hf_hub::{Cache, Repo, RepoType};

use super::{
    HubError, HubRepo, RepoKind,
    checksum::{Checksum, is_commit},
};

/// The part of the cache that belongs to a repository at a revision:
/// `models--org--repo/{blobs,refs,snapshots}`.
#[derive(Debug)]
pub(super) struct RepoCache {
    cache: Cache,
    repo: Repo,
}

/// A file in the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cached {
    /// The commit that its snapshot is of.
    pub(super) commit: String,
    pub(super) path: PathBuf,
}

impl RepoCache {
    pub(super) fn new(cache: &Path, repo: &HubRepo) -> Self {
        let kind = match repo.kind() {
            RepoKind::Model => RepoType::Model,
            RepoKind::Dataset => RepoType::Dataset,
        };
        let (name, revision) = (repo.name().to_owned(), repo.revision().to_owned());
        Self {
            cache: Cache::new(cache.to_owned()),
            repo: Repo::with_revision(name, kind, revision),
        }
    }

    /// A file, if it is there.
    pub(super) fn find(&self, file: &str) -> Option<Cached> {
        let commit = self.commit()?;
        let path = self.snapshot(&commit).join(file);
        path.is_file().then_some(Cached { commit, path })
    }

    /// A folder, as complete as it is; an empty path is the repository's.
    pub(super) fn find_folder(&self, folder: &str) -> Option<PathBuf> {
        let path = self.folder_at(&self.commit()?, folder);
        path.is_dir().then_some(path)
    }

    /// Where a folder of a commit is.
    pub(super) fn folder_at(&self, commit: &str, folder: &str) -> PathBuf {
        let mut path = self.snapshot(commit);
        path.extend(folder.split('/').filter(|part| !part.is_empty()));
        path
    }

    /// The commit that the revision was at when something of it was downloaded last.
    fn commit(&self) -> Option<String> {
        let revision = self.repo.revision();
        if is_commit(revision) {
            return Some(revision.to_owned());
        }
        let commit = fs::read_to_string(self.folder().join("refs").join(revision)).ok()?;
        let commit = commit.trim();
        is_commit(commit).then(|| commit.to_owned())
    }

    /// Where a content is.
    pub(super) fn blob(&self, checksum: &Checksum) -> PathBuf {
        self.folder().join("blobs").join(checksum.name())
    }

    /// Where a content is while it is incomplete.
    pub(super) fn part(&self, checksum: &Checksum) -> PathBuf {
        let name = format!("{}.incomplete", checksum.name());
        self.folder().join("blobs").join(name)
    }

    /// What is locked while a content is downloaded.
    pub(super) fn lock(&self, checksum: &Checksum) -> PathBuf {
        let locks = self.cache.path().join(".locks");
        let name = format!("{}.lock", checksum.name());
        locks.join(self.repo.folder_name()).join(name)
    }

    /// Gives a content that is there its name in the snapshot of a commit, and remembers that the
    /// revision is at that commit.
    pub(super) fn place(
        &self,
        file: &str,
        commit: &str,
        checksum: &Checksum,
    ) -> Result<PathBuf, HubError> {
        let path = self.snapshot(commit).join(file);
        let failed = |source| HubError::file(&path, source);
        let folder = path.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder).map_err(failed)?;
        // From the file to the folder of the repository, out of `snapshots/<commit>/` and of the
        // folders of the file itself.
        let mut target: PathBuf = file.split('/').map(|_| "..").collect();
        target.extend(["..", "blobs", checksum.name()]);
        if fs::read_link(&path).ok().as_ref() != Some(&target) {
            let blob = self.blob(checksum);
            let link = tempfile::Builder::new()
                .make_in(folder, |path| link(&target, &blob, path))
                .map_err(failed)?;
            link.into_temp_path()
                .persist(&path)
                .map_err(|error| failed(error.error))?;
        }
        self.remember(commit)?;
        Ok(path)
    }

    /// Remembers that the revision is at a commit.
    pub(super) fn remember(&self, commit: &str) -> Result<(), HubError> {
        let revision = self.repo.revision();
        if is_commit(revision) || self.commit().as_deref() == Some(commit) {
            return Ok(());
        }
        let refs = self.folder().join("refs").join(revision);
        let made = self.cache.repo(self.repo.clone()).create_ref(commit);
        made.map_err(|source| HubError::file(&refs, source))
    }

    fn folder(&self) -> PathBuf {
        self.cache.path().join(self.repo.folder_name())
    }

    fn snapshot(&self, commit: &str) -> PathBuf {
        self.cache.repo(self.repo.clone()).pointer_path(commit)
    }
}

#[cfg(unix)]
fn link(target: &Path, _: &Path, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(target, path)
}

/// Symbolic links need rights that most do not have.
#[cfg(not(unix))]
fn link(_: &Path, blob: &Path, path: &Path) -> io::Result<()> {
    fs::hard_link(blob, path).or_else(|_| fs::copy(blob, path).map(drop))
}
