//! Folders that one process uses at a time.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::TrainError;

/// The file that is locked. It stays behind: another process may have opened it, and would lock
/// a file that the next one does not find.
pub(crate) const LOCK_FILE: &str = ".lock";

/// The folders that this process holds. A second lock would be refused to it as to any other
/// process, so its workers share one.
static HELD: Mutex<BTreeMap<PathBuf, Held>> = Mutex::new(BTreeMap::new());

struct Held {
    file: File,
    holders: usize,
}

fn folders() -> MutexGuard<'static, BTreeMap<PathBuf, Held>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps other processes out of a folder until it is dropped.
#[derive(Debug)]
pub(crate) struct FolderLock {
    /// Without links, since a folder may have several paths.
    place: PathBuf,
}

impl FolderLock {
    /// Takes a folder, which must exist. The first in this process to take it calls `clean_up`
    /// before anybody else has it.
    ///
    /// # Errors
    /// [`TrainError::FolderLocked`] while another process holds it, [`TrainError::Io`], and those
    /// of `clean_up`, after which it is not held.
    pub fn take(
        folder: &Path,
        clean_up: impl FnOnce() -> Result<(), TrainError>,
    ) -> Result<Self, TrainError> {
        let place = fs::canonicalize(folder).map_err(TrainError::io("find", folder))?;
        let mut folders = folders();
        match folders.get_mut(&place) {
            Some(held) => held.holders += 1,
            None => {
                let file = lock(folder)?;
                clean_up()?;
                folders.insert(place.clone(), Held { file, holders: 1 });
            }
        }
        Ok(Self { place })
    }
}

fn lock(folder: &Path) -> Result<File, TrainError> {
    let path = folder.join(LOCK_FILE);
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let file = file.map_err(TrainError::io("open", &path))?;
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => TrainError::FolderLocked {
            folder: folder.to_owned(),
        },
        TryLockError::Error(source) => TrainError::io("lock", &path)(source),
    })?;
    Ok(file)
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        let mut folders = folders();
        let Some(held) = folders.get_mut(&self.place) else {
            return;
        };
        held.holders -= 1;
        if held.holders == 0
            && let Some(held) = folders.remove(&self.place)
        {
            // A child process that is just being started may share the file for a moment, and
            // with it a lock that nobody gives back.
            let _ = held.file.unlock();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    /// The lock's file as another process has it.
    fn of_another_process(folder: &Path) -> File {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true);
        file.open(folder.join(LOCK_FILE)).unwrap()
    }

    fn take(folder: &Path) -> Result<FolderLock, TrainError> {
        FolderLock::take(folder, || Ok(()))
    }

    #[test]
    fn a_folder_of_another_process_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let other = of_another_process(folder.path());
        other.try_lock().unwrap();
        let refused = FolderLock::take(folder.path(), || panic!("it is not ours"));
        let error = refused.unwrap_err();
        assert!(matches!(error, TrainError::FolderLocked { .. }), "{error}");
        assert!(error.to_string().contains("another process"), "{error}");
        other.unlock().unwrap();
        take(folder.path()).unwrap();
    }

    #[test]
    fn one_process_takes_a_folder_as_often_as_it_likes() {
        let folder = tempfile::tempdir().unwrap();
        let other = of_another_process(folder.path());
        let mut cleaned = 0;
        let mut locks = Vec::new();
        for _ in 0..2 {
            let lock = FolderLock::take(&folder.path().join("."), || {
                cleaned += 1;
                Ok(())
            });
            locks.push(lock.unwrap());
        }
        assert_eq!(cleaned, 1);
        while locks.pop().is_some() {
            assert_eq!(other.try_lock().is_ok(), locks.is_empty());
        }
    }

    #[test]
    fn a_folder_that_cannot_be_cleaned_up_is_not_held() {
        let folder = tempfile::tempdir().unwrap();
        let failed = FolderLock::take(folder.path(), || Err(TrainError::NoCheckpoints));
        assert!(matches!(failed, Err(TrainError::NoCheckpoints)));
        of_another_process(folder.path()).try_lock().unwrap();
    }
}
