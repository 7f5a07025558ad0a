//! Files that may be compressed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
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

/// The lines of a file, numbered from 1, without those that are empty.
pub(super) struct Lines {
    reader: Box<dyn BufRead + Send>,
    number: u64,
}

/// A line is longer than any example: it is not a file of lines.
const MAX_LINE: u64 = 256 << 20;

impl Lines {
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            reader: open(path)?,
            number: 0,
        })
    }
}

impl Iterator for Lines {
    type Item = io::Result<(u64, Vec<u8>)>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let mut line = Vec::new();
            let limited = &mut self.reader.by_ref().take(MAX_LINE);
            match limited.read_until(b'\n', &mut line) {
                Err(error) => return Some(Err(error)),
                Ok(0) => return None,
                Ok(_) => self.number += 1,
            }
            if line.len() as u64 == MAX_LINE {
                let reason = format!("line {} has more than {MAX_LINE} bytes", self.number);
                return Some(Err(io::Error::new(io::ErrorKind::InvalidData, reason)));
            }
            if !line.trim_ascii().is_empty() {
                return Some(Ok((self.number, line)));
            }
        }
    }
}
