//! A file of JSON lines that outlives a killed run.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

/// A file that only grows, a line of JSON for each entry. It is locked while it is open.
#[derive(Debug)]
pub struct LineFile {
    path: PathBuf,
    file: File,
    damaged: u64,
}

/// Why a [`LineFile`] cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LineFileError {
    /// It cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or its folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// Another run has it open.
    #[error("{} is in use by another run; wait for its end, or name another file", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
}

impl LineFile {
    /// Opens a file, or makes it, and hands each entry to `take`. The half of a line that a killed
    /// run left at its end is taken off, a whole one gets the end that an editor left out; other
    /// lines that cannot be read are skipped and counted.
    ///
    /// # Errors
    /// [`LineFileError::InUse`] while another run has it open, [`LineFileError::File`].
    pub fn open<T: DeserializeOwned>(
        path: &Path,
        take: impl FnMut(T),
    ) -> Result<Self, LineFileError> {
        let failed = |source| LineFileError::File {
            path: path.to_owned(),
            source,
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path);
        let file = file.map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => LineFileError::InUse {
                path: path.to_owned(),
            },
            TryLockError::Error(error) => failed(error),
        })?;
        let mut file = Self {
            path: path.to_owned(),
            file,
            damaged: 0,
        };
        file.load(take).map_err(failed)?;
        Ok(file)
    }

    fn load<T: DeserializeOwned>(&mut self, mut take: impl FnMut(T)) -> io::Result<()> {
        let mut reader = BufReader::new(&self.file);
        let (mut line, mut whole) = (Vec::new(), 0);
        loop {
            line.clear();
            let count = reader.read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") {
                break;
            }
            whole += count as u64;
            match serde_json::from_slice(&line) {
                Ok(entry) => take(entry),
                Err(_) => self.damaged += 1,
            }
        }
        if let Ok(entry) = serde_json::from_slice(&line) {
            take(entry);
            (&self.file).write_all(b"\n")?;
        } else if !line.is_empty() {
            tracing::warn!("took half a line off the end of {}", self.path.display());
            self.file.set_len(whole)?;
        }
        if self.damaged > 0 {
            let path = self.path.display();
            tracing::warn!("{path}: {} lines cannot be read; skipped", self.damaged);
        }
        Ok(())
    }

    /// Lines that could not be read.
    pub fn damaged(&self) -> u64 {
        self.damaged
    }

    /// Adds entries, and waits until they are on the disk.
    ///
    /// # Errors
    /// [`LineFileError::File`].
    pub fn add<T: Serialize>(&mut self, entries: &[T]) -> Result<(), LineFileError> {
        self.write(entries).map_err(|source| LineFileError::File {
            path: self.path.clone(),
            source,
        })
    }

    fn write<T: Serialize>(&mut self, entries: &[T]) -> io::Result<()> {
        let mut lines = Vec::new();
        for entry in entries {
            serde_json::to_writer(&mut lines, entry)?;
            lines.push(b'\n');
        }
        self.file.write_all(&lines)?;
        self.file.sync_data()
    }
}

impl Drop for LineFile {
    fn drop(&mut self) {
        // A child process that is just being started may share the file for a moment, and with it
        // a lock that nobody gives back.
        let _ = self.file.unlock();
    }
}
