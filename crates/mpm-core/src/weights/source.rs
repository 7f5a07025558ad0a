//! An open weight file that is read at any position.

use std::{fs::File, io, path::Path};

use memmap2::Mmap;

/// A file, and its length when it was opened.
#[derive(Debug)]
pub(super) struct Source {
    file: File,
    len: usize,
}

impl Source {
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = usize::try_from(file.metadata()?.len())
            .map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        Ok(Self { file, len })
    }

    /// In bytes.
    pub fn len(&self) -> usize {
        self.len
    }

    /// The whole file, for its table of contents.
    ///
    /// Values are not read from it but by [`read_at`](Self::read_at): pages that were touched
    /// would count as memory of the process beside the copy that the model gets, and a file that
    /// is cut off while it is mapped ends the program.
    pub fn map(&self) -> io::Result<Mmap> {
        // SAFETY: the map is read only, and dropped when the table of contents is read.
        unsafe { Mmap::map(&self.file) }
    }

    /// Fills `buffer` with what begins `offset` bytes into the file.
    pub fn read_at(&self, offset: usize, buffer: &mut [u8]) -> io::Result<()> {
        read_exact_at(&self.file, offset as u64, buffer)
    }
}

#[cfg(unix)]
fn read_exact_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut offset: u64, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => {
                offset += read as u64;
                buffer = &mut buffer[read..];
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
