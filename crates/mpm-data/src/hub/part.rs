//! A download that is not complete.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use super::{
    HubError,
    checksum::{Checksum, Hasher},
    progress::Watch,
};

/// How much is read at a time of what is there already.
const BLOCK: usize = 1 << 20;

/// The beginning of a content.
pub(super) struct Part {
    path: PathBuf,
    file: File,
    /// Bytes that are there and hashed.
    done: u64,
    hasher: Hasher,
    checksum: Checksum,
    size: u64,
}

impl Part {
    /// Opens what an earlier download left, or begins.
    ///
    /// # Errors
    /// [`HubError::Cancelled`], [`HubError::File`].
    pub(super) fn open(
        path: PathBuf,
        checksum: &Checksum,
        size: u64,
        watch: &mut Watch<'_>,
    ) -> Result<Self, HubError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|source| HubError::file(folder, source))?;
        }
        let mut options = OpenOptions::new();
        // Not for appending: those who write at the same time have to write the same.
        options.read(true).write(true).create(true).truncate(false);
        let file = options.open(&path);
        let file = file.map_err(|source| HubError::file(&path, source))?;
        let mut part = Self {
            file,
            done: 0,
            hasher: checksum.hasher(size),
            checksum: checksum.clone(),
            size,
            path,
        };
        let length = part.file.metadata().map(|metadata| metadata.len());
        let length = length.map_err(|source| HubError::file(&part.path, source))?;
        if length > size {
            part.restart()?;
        } else if length > 0 {
            part.hash(length, watch)?;
        }
        Ok(part)
    }

    fn hash(&mut self, length: u64, watch: &mut Watch<'_>) -> Result<(), HubError> {
        let mut buffer = vec![0; BLOCK];
        while self.done < length {
            let count = self.file.read(&mut buffer);
            let count = count.map_err(|source| HubError::file(&self.path, source))?;
            if count == 0 {
                break;
            }
            self.hasher.update(&buffer[..count]);
            self.done += count as u64;
            watch.set(self.done, self.size)?;
        }
        Ok(())
    }

    /// Bytes that are there.
    pub(super) fn done(&self) -> u64 {
        self.done
    }

    /// Bytes that are missing.
    pub(super) fn missing(&self) -> u64 {
        self.size.saturating_sub(self.done)
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// [`HubError::DiskFull`], [`HubError::File`].
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        let written = self.file.write_all(bytes);
        written.map_err(|source| self.not_written(source))?;
        self.hasher.update(bytes);
        self.done += bytes.len() as u64;
        Ok(())
    }

    /// Begins anew.
    ///
    /// # Errors
    /// [`HubError::File`].
    pub(super) fn restart(&mut self) -> Result<(), HubError> {
        let emptied = self.file.set_len(0);
        emptied
            .and_then(|()| io::Seek::rewind(&mut self.file))
            .map_err(|source| HubError::file(&self.path, source))?;
        self.done = 0;
        self.hasher = self.checksum.hasher(self.size);
        Ok(())
    }

    /// Gives a complete content its name, or removes one that is not what it has to be.
    ///
    /// # Errors
    /// [`HubError::Checksum`], [`HubError::DiskFull`], [`HubError::File`].
    pub(super) fn finish(self, file: &str, blob: &Path) -> Result<(), HubError> {
        self.file
            .sync_all()
            .map_err(|source| self.not_written(source))?;
        let length = self.file.metadata().map(|metadata| metadata.len());
        let length = length.map_err(|source| HubError::file(&self.path, source))?;
        let found = self.hasher.finish();
        if found != self.checksum || length != self.size {
            remove(&self.path)?;
            return Err(HubError::Checksum {
                file: file.to_owned(),
                expected: self.checksum.to_string(),
                found: found.to_string(),
            });
        }
        // Closed, because some systems rename no open file.
        drop(self.file);
        fs::rename(&self.path, blob).map_err(|source| HubError::file(blob, source))
    }

    /// Removes it.
    ///
    /// # Errors
    /// [`HubError::File`].
    pub(super) fn discard(self) -> Result<(), HubError> {
        drop(self.file);
        remove(&self.path)
    }

    fn not_written(&self, source: io::Error) -> HubError {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let path = self.path.clone();
        match source.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => HubError::DiskFull {
                path,
                missing: self.missing(),
                source,
            },
            _ => HubError::File { path, source },
        }
    }
}

fn remove(path: &Path) -> Result<(), HubError> {
    fs::remove_file(path).map_err(|source| HubError::file(path, source))
}
