//! Files that may be compressed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

use super::{
    super::DatasetError,
    limited::{Limited, MAX_RECORD},
};

/// How a file is compressed, as its first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstandard,
}

impl Compression {
    pub fn of(head: &[u8]) -> Self {
        match head {
            [0x1F, 0x8B, ..] => Self::Gzip,
            [0x28, 0xB5, 0x2F, 0xFD, ..] => Self::Zstandard,
            // A skippable frame, which pzstd begins with.
            [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Self::Zstandard,
            _ => Self::None,
        }
    }
}

/// Opens a file, and decompresses it if its first bytes say so.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    let mut file = BufReader::new(File::open(path)?);
    Ok(match Compression::of(file.fill_buf()?) {
        Compression::None => Box::new(file),
        // Archives made by several processes are several streams in a row.
        Compression::Gzip => {
            let decoder = flate2::bufread::MultiGzDecoder::new(file);
            Box::new(BufReader::new(decoder))
        }
        Compression::Zstandard => Box::new(BufReader::new(zstd::Decoder::with_buffer(file)?)),
    })
}

/// The same, for a parser that gathers records of up to `limit` bytes.
pub(super) fn open_limited(
    path: &Path,
    limit: u64,
) -> io::Result<Limited<Box<dyn BufRead + Send>>> {
    Ok(Limited::new(open(path)?, limit))
}

/// What it means that no more can be read. Errors of the system have a number; all others come
/// from decompressors and limits, and say what is wrong with the file.
pub(super) fn failure(error: io::Error, place: impl FnOnce() -> String) -> DatasetError {
    match error.raw_os_error() {
        Some(_) => error.into(),
        None => DatasetError::Damaged {
            place: place(),
            reason: error.to_string(),
        },
    }
}

/// The lines of a file, numbered from 1, without those that are empty; ends at the first damage.
pub(super) struct Lines {
    reader: Box<dyn BufRead + Send>,
    number: u64,
    failed: bool,
}

impl Lines {
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            reader: open(path)?,
            number: 0,
            failed: false,
        })
    }

    /// The next line that is not empty.
    fn line(&mut self) -> Result<Option<(u64, Vec<u8>)>, DatasetError> {
        loop {
            let mut line = Vec::new();
            let limited = &mut self.reader.by_ref().take(MAX_RECORD);
            let read = limited.read_until(b'\n', &mut line);
            let read = read.map_err(|error| failure(error, || behind_line(self.number)))?;
            if read == 0 {
                return Ok(None);
            }
            if read as u64 == MAX_RECORD {
                return Err(DatasetError::Damaged {
                    place: behind_line(self.number),
                    reason: format!("a line has {MAX_RECORD} bytes or more"),
                });
            }
            self.number += 1;
            if !line.trim_ascii().is_empty() {
                return Ok(Some((self.number, line)));
            }
        }
    }
}

impl Iterator for Lines {
    type Item = Result<(u64, Vec<u8>), DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let line = self.line();
        self.failed = line.is_err();
        line.transpose()
    }
}

/// The place behind a line, counted from 1; 0 is the beginning of the file.
pub(super) fn behind_line(number: u64) -> String {
    match number {
        0 => "at its head".to_owned(),
        _ => format!("behind line {number}"),
    }
}
