//! Files that may be compressed.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
};

/// Opens a file, and decompresses it if its first bytes say so.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn BufRead + Send>> {
    let mut file = BufReader::new(File::open(path)?);
    let head = file.fill_buf()?;
    if head.starts_with(b"\x1F\x8B") {
        // Archives made by several processes are several streams in a row.
        let decoder = flate2::bufread::MultiGzDecoder::new(file);
        return Ok(Box::new(BufReader::new(decoder)));
    }
    if head.starts_with(b"\x28\xB5\x2F\xFD") {
        let decoder = zstd::Decoder::with_buffer(file)?;
        return Ok(Box::new(BufReader::new(decoder)));
    }
    Ok(Box::new(file))
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
