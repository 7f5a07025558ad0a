//! Model folders as MPM writes them: a `config.json` that names the other files.
//!
//! The files are moved to their places when all of them are written, and `config.json` comes
//! last, so a folder that has it is complete.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
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
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self + '_ {
        move |source| Self::Io {
            path: path.to_path_buf(),
            source,
        }
    }

    fn syntax(path: &Path) -> impl FnOnce(serde_json::Error) -> Self + '_ {
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

    /// Writes the configuration and moves all files to their places.
    ///
    /// # Errors
    /// [`FolderError::Io`] and [`FolderError::Syntax`].
    pub fn finish(mut self, config: &impl Serialize) -> Result<(), FolderError> {
        let name = Path::new(CONFIG_FILE);
        let mut json = serde_json::to_vec_pretty(config)
            .map_err(FolderError::syntax(&self.folder.join(name)))?;
        json.push(b'\n');
        self.write(name, &json)?;
        for file in &self.files {
            let path = self.folder.join(file);
            fs::rename(self.staging.path().join(file), &path).map_err(FolderError::io(&path))?;
        }
        Ok(())
    }
}
