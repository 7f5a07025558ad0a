//! Model folders as MPM writes them: a `config.json` that names the other files.
//!
//! The files are moved to their places when all of them are written: an older `config.json`
//! is removed first and the new one comes last, so a folder that has it is complete, even if the
//! program is killed in between.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Serialize,
    de::{DeserializeOwned, Error as _},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::atomic;

/// The name of the configuration within a folder.
pub const CONFIG_FILE: &str = "config.json";

/// Why a model folder could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },

    /// The configuration is no JSON, or not of the form that is expected.
    #[error("{}: {source}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        source: serde_json::Error,
    },

    /// The configuration was written by another version.
    #[error(
        "{}: format version {found}, but this program reads {expected}; {}",
        path.display(),
        if found > expected { "update the program" } else { "save the model again" }
    )]
    Version {
        /// The file.
        path: PathBuf,
        /// The version in the file.
        found: u32,
        /// The version that is read.
        expected: u32,
    },

    /// Another process writes the folder.
    #[error("{}: another process is writing this folder; wait for it", folder.display())]
    Locked {
        /// The folder.
        folder: PathBuf,
    },

    /// What is to be written would not fit.
    #[error(
        "{}: {:.1} GB are needed, but the disk has {:.1} GB left; make room, or name a folder on \
         another disk",
        folder.display(),
        *needed as f64 / 1e9,
        *available as f64 / 1e9
    )]
    DiskFull {
        /// The folder.
        folder: PathBuf,
        /// In bytes.
        needed: u64,
        /// In bytes.
        available: u64,
    },

    /// A file has other bytes than those that were written.
    #[error(
        "{}: the file has changed: its checksum is not that of what was written; make the folder \
         anew, and look at the disk if this comes again",
        path.display()
    )]
    Checksum {
        /// The file.
        path: PathBuf,
    },

    /// The configuration has fields that mean nothing: misspelt ones would silently leave
    /// the default in their place.
    #[error("{}: unknown field `{}`", path.display(), fields.join("`, `"))]
    UnknownFields {
        /// The file.
        path: PathBuf,
        /// The fields.
        fields: Vec<String>,
    },
}

impl FolderError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }

    pub(crate) fn syntax(path: &Path) -> impl FnOnce(serde_json::Error) -> Self + '_ {
        move |source| Self::Syntax {
            path: path.to_path_buf(),
            source,
        }
    }
}

#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

/// Reads a configuration whose field `format_version` must be `version`.
///
/// # Errors
/// [`FolderError`] names the file and what is wrong with it.
pub fn read_config<T: DeserializeOwned>(path: &Path, version: u32) -> Result<T, FolderError> {
    let text = fs::read(path).map_err(FolderError::io(path))?;
    // First of all: a newer version has fields that this one does not know.
    let Version { format_version } =
        serde_json::from_slice(&text).map_err(FolderError::syntax(path))?;
    if format_version != version {
        return Err(FolderError::Version {
            path: path.to_path_buf(),
            found: format_version,
            expected: version,
        });
    }
    let mut fields = Vec::new();
    let json = &mut serde_json::Deserializer::from_slice(&text);
    let config = serde_ignored::deserialize(json, |key| fields.push(key.to_string()))
        .map_err(FolderError::syntax(path))?;
    match fields.is_empty() {
        true => Ok(config),
        false => Err(FolderError::UnknownFields {
            path: path.to_path_buf(),
            fields,
        }),
    }
}

/// Reads a part of a configuration whose kind is known only when it has been read.
///
/// # Errors
/// As [`serde_json::from_value`], and for fields that mean nothing.
pub fn part_of_config<T: DeserializeOwned>(json: Value) -> Result<T, serde_json::Error> {
    let mut fields = Vec::new();
    let part = serde_ignored::deserialize(json, |key| fields.push(key.to_string()))?;
    match fields.is_empty() {
        true => Ok(part),
        false => {
            let fields = fields.join("`, `");
            Err(serde_json::Error::custom(format!(
                "unknown field `{fields}`"
            )))
        }
    }
}

/// A folder that is being written; dropped before [`finish`](Self::finish), it leaves nothing
/// behind.
#[derive(Debug)]
pub struct FolderWriter {
    folder: PathBuf,
    /// Within the folder, so that the files are moved and not copied.
    staging: TempDir,
    files: Vec<PathBuf>,
}

impl FolderWriter {
    /// Begins to write a folder, which is made if it does not exist.
    ///
    /// # Errors
    /// [`FolderError::Io`] when it cannot be written.
    pub fn create(folder: &Path) -> Result<Self, FolderError> {
        fs::create_dir_all(folder).map_err(FolderError::io(folder))?;
        let staging = tempfile::tempdir_in(folder).map_err(FolderError::io(folder))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            staging,
            files: Vec::new(),
        })
    }

    /// Where to write the file that will have this name in the folder.
    pub fn file(&mut self, name: &Path) -> PathBuf {
        self.files.push(name.to_path_buf());
        self.staging.path().join(name)
    }

    /// Writes a file.
    ///
    /// # Errors
    /// [`FolderError::Io`].
    pub fn write(&mut self, name: &Path, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.file(name);
        atomic::write_bytes(&path, bytes).map_err(FolderError::io(&self.folder.join(name)))
    }

    /// Writes `config.json` and moves all files to their places.
    ///
    /// # Errors
    /// [`FolderError::Io`] and [`FolderError::Syntax`]. An older model in the folder stays as it
    /// was, unless it is a move that fails: then there is no `config.json`.
    pub fn finish(self, config: &impl Serialize) -> Result<(), FolderError> {
        self.finish_as(Path::new(CONFIG_FILE), config)
    }

    /// As [`finish`](Self::finish), with another name for the configuration.
    pub(crate) fn finish_as(
        mut self,
        name: &Path,
        config: &impl Serialize,
    ) -> Result<(), FolderError> {
        let place = self.folder.join(name);
        let mut json = serde_json::to_vec_pretty(config).map_err(FolderError::syntax(&place))?;
        json.push(b'\n');
        self.write(name, &json)?;
        // The older one would vouch for a folder of old and new files.
        remove_if_there(&place).map_err(FolderError::io(&place))?;
        for file in &self.files {
            let path = self.folder.join(file);
            fs::rename(self.staging.path().join(file), &path).map_err(FolderError::io(&path))?;
        }
        Ok(())
    }
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const WEIGHTS: &str = "weights";

    fn begin(folder: &Path, text: &str) -> FolderWriter {
        let mut writer = FolderWriter::create(folder).unwrap();
        writer
            .write("vocabulary".as_ref(), text.as_bytes())
            .unwrap();
        fs::write(writer.file(WEIGHTS.as_ref()), text).unwrap();
        writer
    }

    fn config(text: &str) -> Value {
        json!({"format_version": 1, "text": text})
    }

    /// What the files of a folder say, by name.
    fn content(folder: &Path) -> Vec<(String, String)> {
        let files = fs::read_dir(folder).unwrap().map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read_to_string(entry.path()).unwrap())
        });
        let mut files: Vec<_> = files.collect();
        files.sort();
        files
    }

    #[test]
    fn a_new_model_takes_the_place_of_an_older_one() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("model");
        for text in ["old", "new"] {
            begin(&folder, text).finish(&config(text)).unwrap();
            let read: Value = read_config(&folder.join(CONFIG_FILE), 1).unwrap();
            assert_eq!(read, config(text));
            let files = content(&folder);
            let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, [CONFIG_FILE, "vocabulary", WEIGHTS]);
            assert!(files.iter().all(|(_, found)| found.contains(text)));
        }
    }

    #[test]
    fn an_older_model_stays_until_the_new_one_is_written() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        begin(folder, "old").finish(&config("old")).unwrap();
        let before = content(folder);
        drop(begin(folder, "new"));
        assert_eq!(content(folder), before);
        // Keys that are no texts make no JSON.
        let no_json = std::collections::BTreeMap::from([((), ())]);
        let result = begin(folder, "new").finish(&no_json);
        assert!(matches!(result, Err(FolderError::Syntax { .. })));
        assert_eq!(content(folder), before);
    }

    #[test]
    fn a_folder_that_has_a_configuration_is_complete() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path();
        begin(folder, "old").finish(&config("old")).unwrap();
        // A folder in the place of the weights ends the moves half way, as a kill would.
        fs::remove_file(folder.join(WEIGHTS)).unwrap();
        fs::create_dir(folder.join(WEIGHTS)).unwrap();
        let error = begin(folder, "new").finish(&config("new")).unwrap_err();
        assert!(error.to_string().contains(WEIGHTS), "{error}");
        let moved = fs::read_to_string(folder.join("vocabulary")).unwrap();
        assert_eq!(moved, "new");
        assert!(!folder.join(CONFIG_FILE).exists());
    }
}
