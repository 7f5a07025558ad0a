//! Files that are there whole or not at all.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

/// Writes a file through `fill`, which gets the path of a temporary one beside
/// it and writes into that one. When `fill` is done the file is synced to the disk and
/// moved to `path`; until then, and when anything fails, an older file stays as it was.
///
/// # Errors
/// What `fill` returns, and those of the file system.
pub fn write(path: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let temporary = builder().tempfile_in(folder_of(path))?;
    fill(temporary.path())?;
    // The handle that it was created with: not every system syncs one that may only read.
    temporary.as_file().sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Writes `bytes` to a file, see [`write()`].
///
/// # Errors
/// Those of the file system.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write(path, |temporary| fs::write(temporary, bytes))
}

/// Bytes that a probe writes at most: whether more fit, the file system knows.
const PROBED: u64 = 64 << 10;

/// Finds out whether a file of so many bytes could be written: to learn of a folder that is
/// missing or read-only, and of a full disk, before the work that leads to the file. Nothing is
/// left behind, and a file that is there stays as it is.
///
/// # Errors
/// Those of the file system, [`io::ErrorKind::IsADirectory`] when `path` is a folder, and
/// [`io::ErrorKind::StorageFull`] when fewer bytes are free.
pub fn probe(path: &Path, bytes: u64) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    // It has no name, so it vanishes even when the program is killed.
    let mut file = tempfile::tempfile_in(folder_of(path))?;
    io::copy(&mut io::repeat(0).take(bytes.min(PROBED)), &mut file)?;
    let available = fs4::available_space(folder_of(path))?;
    match bytes <= available {
        true => Ok(()),
        false => Err(io::Error::new(
            io::ErrorKind::StorageFull,
            format!("{bytes} bytes are needed, but {available} are free"),
        )),
    }
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Temporary files are private by default; these become files for everyone whom
/// the user's umask lets read.
fn builder() -> tempfile::Builder<'static, 'static> {
    #[allow(unused_mut, reason = "only Unix has permissions to set")]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_leaves_the_older_file() {
        let folder = tempfile::tempdir().expect("writable");
        let path = folder.path().join("file");
        write_bytes(&path, b"old").expect("writable");
        let result = write(&path, |temporary| {
            fs::write(temporary, b"half")?;
            Err(io::Error::other("the disk is full"))
        });
        assert!(result.is_err());
        assert_eq!(fs::read(&path).expect("there"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1);
    }

    #[test]
    fn a_probe_leaves_nothing() {
        let folder = tempfile::tempdir().expect("writable");
        probe(&folder.path().join("file"), 100_000).expect("writable");
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 0);
        let error = probe(&folder.path().join("file"), 1 << 60).expect_err("no such disk");
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        let missing = folder.path().join("missing").join("file");
        let error = probe(&missing, 0).expect_err("no folder");
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        let error = probe(folder.path(), 0).expect_err("a folder");
        assert_eq!(error.kind(), io::ErrorKind::IsADirectory);
    }

    #[cfg(unix)]
    #[test]
    fn others_may_read_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("writable");
        let (ours, plain) = (folder.path().join("a"), folder.path().join("b"));
        write_bytes(&ours, b"").expect("writable");
        fs::write(&plain, b"").expect("writable");
        let mode = |path| fs::metadata(path).expect("there").permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
