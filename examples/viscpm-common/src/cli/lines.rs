//! Files of requests, one JSON object a line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::Path,
};

use serde::de::DeserializeOwned;

use super::BoxError;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The lines of a file that are not empty.
#[derive(Debug)]
pub struct Lines {
    reader: BufReader<File>,
    number: usize,
    line: Vec<u8>,
}

impl Lines {
    /// Opens a file.
    ///
    /// # Errors
    /// Names the file and what the operating system says.
    pub fn open(file: &Path) -> Result<Self, BoxError> {
        // Some systems open it, and fail without its name when it is read.
        if file.is_dir() {
            return Err(format!("{}: this is a folder; name a file", file.display()).into());
        }
        let opened = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(Self {
            reader: BufReader::new(opened),
            number: 0,
            line: Vec::new(),
        })
    }

    /// The next line with its number, counted from 1; `None` at the end.
    ///
    /// # Errors
    /// Those of the file.
    pub fn next_line(&mut self) -> io::Result<Option<(usize, &[u8])>> {
        loop {
            self.line.clear();
            if self.reader.read_until(b'\n', &mut self.line)? == 0 {
                return Ok(None);
            }
            self.number += 1;
            if !self.text().is_empty() {
                return Ok(Some((self.number, self.text())));
            }
        }
    }

    fn text(&self) -> &[u8] {
        // Some editors begin a file with a byte order mark.
        let line = self.line.strip_prefix(BYTE_ORDER_MARK);
        line.unwrap_or(&self.line).trim_ascii_end()
    }
}

/// Reads one line, which has to be an object.
///
/// # Errors
/// Says what is wrong and in which column.
pub fn parse<T: DeserializeOwned>(line: &[u8]) -> Result<T, String> {
    // A list would do for a struct, its fields in order.
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err("expected a JSON object, which begins with `{`".to_owned());
    }
    serde_json::from_slice(line).map_err(|error| {
        // The parser counts lines within the one that it is given.
        let text = error.to_string();
        let reason = text.split(" at line 1 column ").next().unwrap_or(&text);
        format!("{reason} at column {}", error.column())
    })
}
