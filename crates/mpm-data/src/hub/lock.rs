//! One download of a content at a time.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::Path,
    time::Duration,
};

use super::{HubError, progress::Watch};

/// How often a file that another process downloads is looked at.
const POLL: Duration = Duration::from_millis(200);

/// Held while a content is downloaded. `huggingface_hub` locks the same files.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock.
    ///
    /// # Errors
    /// [`HubError::Cancelled`], and [`HubError::File`] when it cannot be made.
    pub(super) fn acquire(path: &Path, watch: &mut Watch<'_>) -> Result<Self, HubError> {
        let failed = |source| HubError::file(path, source);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut told = false;
        loop {
            let mut options = OpenOptions::new();
            let file = options.write(true).create(true).truncate(false).open(path);
            let file = file.map_err(failed)?;
            match file.try_lock() {
                // Some programs remove the file when they are done with it.
                Ok(()) if !is_removed(&file).map_err(failed)? => return Ok(Self { _file: file }),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    if !told {
                        tracing::info!("waits for another download: {}", path.display());
                        told = true;
                    }
                    watch.sleep(POLL)?;
                }
                // Two downloads write the same bytes to the same places, so it does no harm.
                Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {
                    tracing::warn!("this file system has no locks: {}", path.display());
                    return Ok(Self { _file: file });
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
        }
    }
}

#[cfg(unix)]
fn is_removed(file: &File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(file.metadata()?.nlink() == 0)
}

#[cfg(not(unix))]
fn is_removed(_: &File) -> io::Result<bool> {
    Ok(false)
}
