//! Folders of checkpoints that are complete or not there at all.
//!
//! A checkpoint is a folder `step-00000020` with the parameters
//! (`model.safetensors`), their running average where one is kept
//! (`average.safetensors`), the moments of the optimizer (`optimizer.mpk`) and, as the
//! last file written, a `manifest.json` that lists the files and their sizes and holds
//! everything else that the next step depends on.
//! The folder is staged under a temporary name, synced to the disk and renamed,
//! so that a process killed at any time leaves the earlier checkpoints and at
//! most a staging folder, which the next run removes. A lock keeps other processes
//! out of the folder of checkpoints meanwhile.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::TrainError;
use crate::evaluator::Better;
use crate::folder_lock::FolderLock;

/// Version of the folder's layout.
const FORMAT: u32 = 2;
const MANIFEST: &str = "manifest.json";
const STEP_PREFIX: &str = "step-";
const STAGING_PREFIX: &str = ".staging-";

/// What a checkpoint holds, stored as `manifest.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the layout.
    pub format: u32,
    /// What the run was at.
    #[serde(flatten)]
    pub state: CheckpointState,
    /// Size in bytes of each file.
    pub files: BTreeMap<String, u64>,
}

/// What the caller of [`CheckpointStore::write`] knows about a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CheckpointState {
    /// Number of steps done.
    pub step: usize,
    /// The evaluation's score at this step.
    pub score: Option<f64>,
    /// What the run is made from, as its program describes it.
    pub recipe: Value,
    /// Settings of the trainer.
    pub settings: Value,
    /// What the trainer keeps beside the parameters and the optimizer's moments.
    pub trainer: Value,
    /// Position of the data source before the next batch, of each worker in the order of their
    /// ranks.
    pub positions: Vec<Value>,
    /// Ids of the trainable parameters by path: the names of their moments in the
    /// optimizer's file.
    pub trainable: BTreeMap<String, String>,
    /// Checksums (CRC-32) of the frozen parameters that are not in the checkpoint.
    pub left_out: BTreeMap<String, u32>,
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// A complete checkpoint.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    /// Its folder.
    pub folder: PathBuf,
    /// What it holds.
    pub manifest: Manifest,
}

impl Checkpoint {
    /// The file of the parameters.
    pub fn model_file(&self) -> PathBuf {
        model_file(&self.folder)
    }

    /// The file of the parameters' running average, if the run keeps one.
    pub fn average_file(&self) -> PathBuf {
        average_file(&self.folder)
    }

    /// The file of the optimizer's moments.
    pub fn optimizer_file(&self) -> PathBuf {
        optimizer_file(&self.folder)
    }

    /// Opens a folder.
    ///
    /// # Errors
    /// [`TrainError::CheckpointIncomplete`] when a file is missing or cut off,
    /// [`TrainError::CheckpointMismatch`] for an unknown format and for files that have grown
    /// since, [`TrainError::Json`] for a manifest that is none, [`TrainError::Io`] when a file
    /// cannot be read.
    pub fn open(folder: &Path) -> Result<Self, TrainError> {
        let text = read_manifest(folder)?;
        let file = folder.join(MANIFEST);
        // First of all: another format has other fields.
        let version: Result<Version, _> = serde_json::from_str(&text);
        let Version { format } = version.map_err(|error| match error.is_eof() {
            true => incomplete(folder, format!("`{MANIFEST}` is cut off")),
            false => TrainError::json(&file)(error),
        })?;
        if format != FORMAT {
            return Err(TrainError::CheckpointMismatch {
                folder: folder.to_owned(),
                reason: format!("its format is {format}, this program reads {FORMAT}"),
            });
        }
        let manifest: Manifest = serde_json::from_str(&text).map_err(TrainError::json(&file))?;
        for (name, &expected) in &manifest.files {
            check_file(folder, name, expected)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
        })
    }
}

fn incomplete(folder: &Path, reason: String) -> TrainError {
    TrainError::CheckpointIncomplete {
        folder: folder.to_owned(),
        reason,
    }
}

fn read_manifest(folder: &Path) -> Result<String, TrainError> {
    let file = folder.join(MANIFEST);
    fs::read_to_string(&file).map_err(|error| match error.kind() {
        ErrorKind::NotFound => incomplete(folder, format!("`{MANIFEST}` is missing")),
        _ => TrainError::io("read", &file)(error),
    })
}

/// Compares a file of a checkpoint with what the manifest says about it.
fn check_file(folder: &Path, name: &str, expected: u64) -> Result<(), TrainError> {
    let file = folder.join(name);
    match fs::metadata(&file).map(|metadata| metadata.len()) {
        Ok(found) if found == expected => Ok(()),
        Ok(found) if found < expected => Err(incomplete(
            folder,
            format!("`{name}` has {found} bytes of {expected}"),
        )),
        Ok(found) => Err(TrainError::CheckpointMismatch {
            folder: folder.to_owned(),
            reason: format!("`{name}` has grown from {expected} bytes to {found}"),
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(incomplete(folder, format!("`{name}` is missing")))
        }
        Err(error) => Err(TrainError::io("inspect", &file)(error)),
    }
}

pub(crate) fn model_file(folder: &Path) -> PathBuf {
    folder.join("model.safetensors")
}

pub(crate) fn average_file(folder: &Path) -> PathBuf {
    folder.join("average.safetensors")
}

pub(crate) fn optimizer_file(folder: &Path) -> PathBuf {
    folder.join("optimizer.mpk")
}

/// A folder of checkpoints of one run. No other process can open it before all stores of this
/// one are dropped.
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    folder: PathBuf,
    keep: NonZeroUsize,
    best: Option<Better>,
    _lock: Arc<FolderLock>,
}

impl CheckpointStore {
    /// Opens a folder, creating it where needed. After each write the newest
    /// `keep` checkpoints stay.
    ///
    /// One process at a time may use a folder, which may open it several times: staging
    /// folders that the first store finds are those of a process that died, and removed.
    ///
    /// # Errors
    /// [`TrainError::FolderLocked`] while another process uses the folder, [`TrainError::Io`]
    /// when it cannot be created, locked or read.
    pub fn open(folder: impl Into<PathBuf>, keep: NonZeroUsize) -> Result<Self, TrainError> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(TrainError::io("create", &folder))?;
        let lock = FolderLock::take(&folder, || remove_staging(&folder))?;
        Ok(Self {
            folder,
            keep,
            best: None,
            _lock: Arc::new(lock),
        })
    }

    /// Keeps the checkpoint with the best score, too, however old it is.
    pub fn keep_best(mut self, better: Better) -> Self {
        self.best = Some(better);
        self
    }

    /// The complete checkpoint with the best score; the oldest of several that are equal.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn best(&self, better: Better) -> Result<Option<Checkpoint>, TrainError> {
        let scored = self.list()?.into_iter().filter_map(|checkpoint| {
            let score = checkpoint.manifest.state.score?;
            Some((score, checkpoint))
        });
        let best = scored.reduce(|best, next| match better.is_better(next.0, best.0) {
            true => next,
            false => best,
        });
        Ok(best.map(|(_, checkpoint)| checkpoint))
    }

    /// All complete checkpoints, oldest first. Incomplete ones are skipped with a
    /// warning.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the folder cannot be read; those of [`Checkpoint::open`] for a
    /// checkpoint that may be complete but cannot be read, such as one of another version.
    pub fn list(&self) -> Result<Vec<Checkpoint>, TrainError> {
        let mut found = Vec::new();
        for (name, path) in subfolders(&self.folder)? {
            if !name.starts_with(STEP_PREFIX) {
                continue;
            }
            match Checkpoint::open(&path) {
                Ok(checkpoint) => found.push(checkpoint),
                Err(error @ TrainError::CheckpointIncomplete { .. }) => {
                    tracing::warn!(folder = %path.display(), %error, "skipping a checkpoint");
                }
                Err(error) => return Err(error),
            }
        }
        found.sort_by_key(|checkpoint| checkpoint.manifest.state.step);
        Ok(found)
    }

    /// The newest complete checkpoint.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub fn newest(&self) -> Result<Option<Checkpoint>, TrainError> {
        Ok(self.list()?.pop())
    }

    /// Writes a checkpoint: `write_files` fills the staging folder. A complete
    /// checkpoint of the same step is left as it is, an incomplete one is replaced.
    ///
    /// # Errors
    /// Those of `write_files` and of [`list`](Self::list); the earlier checkpoints are
    /// intact then.
    pub fn write(
        &self,
        state: CheckpointState,
        write_files: impl FnOnce(&Path) -> Result<(), TrainError>,
    ) -> Result<Checkpoint, TrainError> {
        let folder = self.folder.join(format!("{STEP_PREFIX}{:08}", state.step));
        match Checkpoint::open(&folder) {
            Ok(complete) => return Ok(complete),
            Err(TrainError::CheckpointIncomplete { .. }) => {}
            // Whatever it is, it is not to be deleted.
            Err(error) => return Err(error),
        }
        let staging = tempfile::Builder::new()
            .prefix(STAGING_PREFIX)
            .tempdir_in(&self.folder)
            .map_err(TrainError::io("create a folder in", &self.folder))?;
        write_files(staging.path())?;
        let manifest = Manifest {
            format: FORMAT,
            state,
            files: sync_files(staging.path())?,
        };
        write_manifest(&staging.path().join(MANIFEST), &manifest)?;
        sync_folder(staging.path())?;
        if folder.exists() {
            // Found incomplete above.
            remove(&folder)?;
        }
        fs::rename(staging.path(), &folder).map_err(TrainError::io("rename to", &folder))?;
        // The folder has another name now, there is nothing to clean up.
        let _renamed = staging.keep();
        sync_folder(&self.folder)?;
        self.prune()?;
        Ok(Checkpoint { folder, manifest })
    }

    fn prune(&self) -> Result<(), TrainError> {
        let checkpoints = self.list()?;
        let surplus = checkpoints.len().saturating_sub(self.keep.get());
        let best = match self.best {
            Some(better) => self.best(better)?.map(|best| best.folder),
            None => None,
        };
        for checkpoint in &checkpoints[..surplus] {
            if best.as_ref() == Some(&checkpoint.folder) {
                continue;
            }
            // Under a staging name, a folder that a killed process leaves half
            // removed is no checkpoint, and the next run removes the rest.
            let name = format!("{STAGING_PREFIX}{:08}", checkpoint.manifest.state.step);
            let doomed = self.folder.join(name);
            fs::rename(&checkpoint.folder, &doomed)
                .map_err(TrainError::io("rename", &checkpoint.folder))?;
            remove(&doomed)?;
        }
        Ok(())
    }
}

/// Removes what processes that died were writing or removing.
fn remove_staging(folder: &Path) -> Result<(), TrainError> {
    for (name, path) in subfolders(folder)? {
        if name.starts_with(STAGING_PREFIX) {
            remove(&path)?;
        }
    }
    Ok(())
}

fn subfolders(folder: &Path) -> Result<Vec<(String, PathBuf)>, TrainError> {
    let entries = fs::read_dir(folder).map_err(TrainError::io("list", folder))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(TrainError::io("list", folder))?;
        if entry.path().is_dir() {
            found.push((
                entry.file_name().to_string_lossy().into_owned(),
                entry.path(),
            ));
        }
    }
    Ok(found)
}

fn remove(folder: &Path) -> Result<(), TrainError> {
    fs::remove_dir_all(folder).map_err(TrainError::io("remove", folder))
}

/// Brings all files of a folder to the disk and returns their sizes.
fn sync_files(folder: &Path) -> Result<BTreeMap<String, u64>, TrainError> {
    let entries = fs::read_dir(folder).map_err(TrainError::io("list", folder))?;
    let mut sizes = BTreeMap::new();
    for entry in entries {
        let path = entry.map_err(TrainError::io("list", folder))?.path();
        let sync = || -> std::io::Result<u64> {
            let file = File::options().write(true).open(&path)?;
            file.sync_all()?;
            Ok(file.metadata()?.len())
        };
        let bytes = sync().map_err(TrainError::io("sync", &path))?;
        let name = path.file_name().unwrap_or_default();
        sizes.insert(name.to_string_lossy().into_owned(), bytes);
    }
    Ok(sizes)
}

fn write_manifest(file: &Path, manifest: &Manifest) -> Result<(), TrainError> {
    let text = serde_json::to_vec_pretty(manifest).map_err(TrainError::json(file))?;
    let write = || -> std::io::Result<()> {
        let mut output = File::create(file)?;
        output.write_all(&text)?;
        output.sync_all()
    };
    write().map_err(TrainError::io("write", file))
}

/// Makes renames and new files in a folder survive a loss of power, where the
/// system can open folders.
fn sync_folder(folder: &Path) -> Result<(), TrainError> {
    if cfg!(unix) {
        File::open(folder)
            .and_then(|opened| opened.sync_all())
            .map_err(TrainError::io("sync", folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::folder_lock::LOCK_FILE;

    fn store(folder: &Path, keep: usize) -> CheckpointStore {
        CheckpointStore::open(folder, NonZeroUsize::new(keep).unwrap()).unwrap()
    }

    fn write(store: &CheckpointStore, step: usize) -> Checkpoint {
        write_scored(store, step, None)
    }

    fn write_scored(store: &CheckpointStore, step: usize, score: Option<f64>) -> Checkpoint {
        let state = CheckpointState {
            step,
            score,
            positions: vec![Value::from(step * 10)],
            ..CheckpointState::default()
        };
        store
            .write(state, |folder| {
                fs::write(model_file(folder), vec![7u8; 100]).unwrap();
                Ok(())
            })
            .unwrap()
    }

    fn steps(store: &CheckpointStore) -> Vec<usize> {
        let list = store.list().unwrap();
        list.iter().map(|found| found.manifest.state.step).collect()
    }

    /// How many things are in a folder of checkpoints, beside its lock.
    fn entries(folder: &Path) -> usize {
        let entries = fs::read_dir(folder).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names.filter(|name| name != LOCK_FILE).count()
    }

    #[test]
    fn the_newest_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), 2);
        assert!(store.newest().unwrap().is_none());
        for step in [5, 10, 100_000_000, 200_000_000] {
            write(&store, step);
        }
        assert_eq!(steps(&store), [100_000_000, 200_000_000]);
        assert_eq!(entries(folder.path()), 2);
        let newest = store.newest().unwrap().unwrap();
        assert_eq!(
            newest.manifest.state.positions,
            [Value::from(2_000_000_000)]
        );
    }

    #[test]
    fn the_best_one_stays_however_old_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), 1).keep_best(Better::Lower);
        for (step, score) in [(1, 0.9), (2, 0.4), (3, 0.4), (4, 0.7)] {
            write_scored(&store, step, Some(score));
        }
        write(&store, 5);
        assert_eq!(steps(&store), [2, 5]);
        let best = store.best(Better::Lower).unwrap().unwrap();
        assert_eq!(best.manifest.state.step, 2);
        write_scored(&store, 6, Some(0.1));
        assert_eq!(steps(&store), [6]);
    }

    #[test]
    fn half_written_ones_are_ignored_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), 3);
        write(&store, 1);
        let cut = write(&store, 2);
        fs::write(cut.model_file(), [7u8; 50]).unwrap();
        let headless = write(&store, 3);
        fs::write(headless.folder.join(MANIFEST), "{\"format\": 2, \"st").unwrap();
        assert_eq!(steps(&store), [1]);

        write(&store, 2);
        assert_eq!(steps(&store), [1, 2]);
    }

    #[test]
    fn a_failed_write_leaves_the_earlier_ones_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), 3);
        write(&store, 1);
        let state = CheckpointState {
            step: 2,
            ..CheckpointState::default()
        };
        let failed = store.write(state, |_| Err(TrainError::NoCheckpoints));
        assert!(matches!(failed, Err(TrainError::NoCheckpoints)));
        assert_eq!(steps(&store), [1]);
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn staging_folders_of_dead_processes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".staging-abc")).unwrap();
        let first = store(folder.path(), 1);
        assert!(first.list().unwrap().is_empty());
        assert_eq!(entries(folder.path()), 0);
        // One that comes to be meanwhile is this process's.
        fs::create_dir(folder.path().join(".staging-own")).unwrap();
        store(folder.path(), 1);
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn a_folder_of_another_process_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".staging-other")).unwrap();
        let lock = File::create(folder.path().join(LOCK_FILE)).unwrap();
        lock.try_lock().unwrap();
        let error = CheckpointStore::open(folder.path(), NonZeroUsize::MIN).unwrap_err();
        assert!(matches!(error, TrainError::FolderLocked { .. }), "{error}");
        assert_eq!(entries(folder.path()), 1);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_stays() {
        type Spoil = fn(&Checkpoint);
        let cases: [(Spoil, &str); 4] = [
            (
                |written| {
                    let file = written.folder.join(MANIFEST);
                    let text = fs::read_to_string(&file).unwrap();
                    fs::write(&file, text.replace("\"format\": 2", "\"format\": 3")).unwrap();
                },
                "its format is 3",
            ),
            (
                |written| fs::write(written.folder.join(MANIFEST), "{\"format\" 2}").unwrap(),
                "not valid",
            ),
            // Stands for a file that may not be read, which tests that run as root may.
            (
                |written| {
                    let file = written.folder.join(MANIFEST);
                    fs::remove_file(&file).unwrap();
                    fs::create_dir(file).unwrap();
                },
                "cannot read",
            ),
            (
                |written| fs::write(written.model_file(), [7u8; 101]).unwrap(),
                "has grown from 100 bytes to 101",
            ),
        ];
        for (spoil, expected) in cases {
            let folder = tempfile::tempdir().unwrap();
            let store = store(folder.path(), 1);
            let written = write(&store, 1);
            spoil(&written);
            let state = CheckpointState {
                step: 1,
                ..CheckpointState::default()
            };
            let errors = [
                Checkpoint::open(&written.folder).map(drop).unwrap_err(),
                store.newest().map(drop).unwrap_err(),
                store.write(state, |_| Ok(())).map(drop).unwrap_err(),
            ];
            for error in errors {
                assert!(error.to_string().contains(expected), "{error}");
            }
            assert!(written.model_file().is_file(), "{expected}");
        }
    }
}
