//! The files that are written.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use mpm_core::atomic;
use viscpm_common::cli::BoxError;

/// Where the pictures of a task go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// All into one file, as a sheet if they are several.
    Sheet(PathBuf),
    /// Each into its own.
    Separate(Vec<PathBuf>),
}

impl Output {
    /// Files named after `out` and numbered from 1, with as many digits as the last of them.
    pub fn numbered(out: &Path, pictures: u64) -> Self {
        let stem = out.file_stem().unwrap_or_default().to_string_lossy();
        let digits = pictures.to_string().len();
        let name = |number| out.with_file_name(format!("{stem}-{number:0digits$}.png"));
        Self::Separate((1..=pictures).map(name).collect())
    }

    /// All files.
    pub fn paths(&self) -> &[PathBuf] {
        match self {
            Self::Sheet(path) => std::slice::from_ref(path),
            Self::Separate(paths) => paths,
        }
    }

    /// Finds out whether files of these names may be written, before the work begins.
    pub fn check(&self, force: bool) -> Result<(), BoxError> {
        self.paths().iter().try_for_each(|path| check(path, force))
    }
}

/// Finds out whether so many bytes can be written into the folder of a file.
pub fn probe(path: &Path, bytes: u64) -> Result<(), BoxError> {
    atomic::probe(path, bytes).map_err(|error| cannot_write(path, error))
}

/// Writes a file that is there whole or not at all.
pub fn write(path: &Path, force: bool, bytes: &[u8]) -> Result<(), BoxError> {
    // It may have come into being in the meantime.
    check(path, force)?;
    atomic::write_bytes(path, bytes).map_err(|error| cannot_write(path, error))
}

fn check(path: &Path, force: bool) -> Result<(), BoxError> {
    let refuse = |reason: &str| Err(format!("{}: {reason}", path.display()).into());
    match fs::symlink_metadata(path) {
        Err(_) => {
            let folder = path
                .parent()
                .filter(|folder| !folder.as_os_str().is_empty());
            match folder {
                Some(folder) if !folder.is_dir() => refuse(&format!(
                    "there is no folder {}; make it first",
                    folder.display()
                )),
                _ => Ok(()),
            }
        }
        Ok(found) if found.is_dir() => refuse("this is a folder; name a file in it"),
        Ok(found) if !found.is_file() && !found.is_symlink() => {
            refuse("this is no regular file; name another one")
        }
        Ok(_) if !force => {
            refuse("the file is there already; name another one, or overwrite it with --force")
        }
        Ok(_) => Ok(()),
    }
}

/// The error names the file that was wanted, not the temporary one.
fn cannot_write(path: &Path, error: io::Error) -> BoxError {
    let text = error.to_string();
    let reason = text.split(" at path ").next().unwrap_or(&text);
    format!("{}: the file cannot be written: {reason}", path.display()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_numbered_in_order() {
        let paths = |pictures| match Output::numbered(Path::new("a/cat.v2.png"), pictures) {
            Output::Separate(paths) => paths,
            other => panic!("{other:?}"),
        };
        assert_eq!(paths(1), [Path::new("a/cat.v2-1.png")]);
        let twelve = paths(12);
        assert_eq!(twelve[0], Path::new("a/cat.v2-01.png"));
        assert_eq!(twelve[11], Path::new("a/cat.v2-12.png"));
        assert!(twelve.is_sorted());
    }
}
