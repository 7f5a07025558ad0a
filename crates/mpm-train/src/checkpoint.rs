//! Folders of checkpoints that are complete or not there at all.
//!
//! A checkpoint is a folder `step-00000020` with the parameters
//! (`model.safetensors`), their running average where one is kept
//! (`average.safetensors`), the moments of the optimizer (`optimizer.mpk`) and, as the
//! last file written, a `manifest.json` that lists the files and their sizes and holds
//! everything else that the next step depends on.
//! The folder is staged under a temporary name, synced to the disk and renamed,
//! so that a process killed at any time leaves the earlier checkpoints and at
//! most a staging folder, which the next run removes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::TrainError;
use crate::evaluator::Better;

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
    /// [`TrainError::Io`] or [`TrainError::Json`] when it has no sound manifest,
    /// [`TrainError::CheckpointMismatch`] when a file is missing, cut off or of an
    /// unknown format.
    pub fn open(folder: &Path) -> Result<Self, TrainError> {
        let file = folder.join(MANIFEST);
        let text = fs::read_to_string(&file).map_err(TrainError::io("read", &file))?;
        let mismatch = |reason: String| TrainError::CheckpointMismatch {
            folder: folder.to_owned(),
            reason,
        };
        // First of all: another format has other fields.
        let Version { format } = serde_json::from_str(&text).map_err(TrainError::json(&file))?;
        if format != FORMAT {
            return Err(mismatch(format!(
                "its format is {format}, this program reads {FORMAT}"
            )));
        }
        let manifest: Manifest = serde_json::from_str(&text).map_err(TrainError::json(&file))?;
        for (name, &expected) in &manifest.files {
            let found = fs::metadata(folder.join(name)).map(|metadata| metadata.len());
            if !found.as_ref().is_ok_and(|&bytes| bytes == expected) {
                return Err(mismatch(format!(
                    "`{name}` should have {expected} bytes, found {found:?}"
                )));
            }
        }
        Ok(Self {
            folder: folder.to_owned(),
            manifest,
        })
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

/// A folder of checkpoints of one run.
#[derive(Debug, Clone)]
pub struct CheckpointStore {
    folder: PathBuf,
    keep: NonZeroUsize,
    best: Option<Better>,
}

impl CheckpointStore {
    /// Opens a folder, creating it where needed. After each write the newest
    /// `keep` checkpoints stay.
    ///
    /// One process at a time may use a folder: staging folders found are taken for
    /// those of a process that died, and removed.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the folder cannot be created or read.
    pub fn open(folder: impl Into<PathBuf>, keep: NonZeroUsize) -> Result<Self, TrainError> {
        let folder = folder.into();
        fs::create_dir_all(&folder).map_err(TrainError::io("create", &folder))?;
        for (name, path) in subfolders(&folder)? {
            if name.starts_with(STAGING_PREFIX) {
                remove(&path)?;
            }
        }
        Ok(Self {
            folder,
            keep,
            best: None,
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
    /// [`TrainError::Io`] when the folder cannot be read.
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
    /// [`TrainError::Io`] when the folder cannot be read.
    pub fn list(&self) -> Result<Vec<Checkpoint>, TrainError> {
        let mut found = Vec::new();
        for (name, path) in subfolders(&self.folder)? {
            if !name.starts_with(STEP_PREFIX) {
                continue;
            }
            match Checkpoint::open(&path) {
                Ok(checkpoint) => found.push(checkpoint),
                Err(error) => {
                    tracing::warn!(folder = %path.display(), %error, "skipping a checkpoint");
                }
            }
        }
        found.sort_by_key(|checkpoint| checkpoint.manifest.state.step);
        Ok(found)
    }

    /// The newest complete checkpoint.
    ///
    /// # Errors
    /// [`TrainError::Io`] when the folder cannot be read.
    pub fn newest(&self) -> Result<Option<Checkpoint>, TrainError> {
        Ok(self.list()?.pop())
    }

    /// Writes a checkpoint: `write_files` fills the staging folder. A complete
    /// checkpoint of the same step is left as it is.
    ///
    /// # Errors
    /// Those of `write_files`, and [`TrainError::Io`]; the earlier checkpoints are
    /// intact then.
    pub fn write(
        &self,
        state: CheckpointState,
        write_files: impl FnOnce(&Path) -> Result<(), TrainError>,
    ) -> Result<Checkpoint, TrainError> {
        let folder = self.folder.join(format!("{STEP_PREFIX}{:08}", state.step));
        if let Ok(complete) = Checkpoint::open(&folder) {
            return Ok(complete);
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

    #[test]
    fn the_newest_ones_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), 2);
        assert!(store.newest().unwrap().is_none());
        for step in [5, 10, 100_000_000, 200_000_000] {
            write(&store, step);
        }
        assert_eq!(steps(&store), [100_000_000, 200_000_000]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
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
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn staging_folders_of_dead_processes_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(".staging-abc")).unwrap();
        let store = store(folder.path(), 1);
        assert!(store.list().unwrap().is_empty());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn another_format_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let written = write(&store(folder.path(), 1), 1);
        let file = written.folder.join(MANIFEST);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("\"format\": 2", "\"format\": 3")).unwrap();
        let error = Checkpoint::open(&written.folder).unwrap_err();
        assert!(error.to_string().contains("its format is 3"), "{error}");
    }
}
