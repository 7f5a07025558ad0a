//! JSON, by the bracket that closes it.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use super::{super::super::DatasetError, cut_off};

/// How much of the end is read. There is no more white space than that behind the last bracket.
const TAIL: u64 = 4096;

/// The last character has to be the bracket. A file without any is one of no lines.
pub(super) fn check(mut file: File, bracket: u8) -> Result<(), DatasetError> {
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    match tail.trim_ascii_end().last() {
        Some(&last) if last != bracket => {
            let place = format!("at its end, which is no `{}`", char::from(bracket));
            Err(cut_off(place, length))
        }
        _ => Ok(()),
    }
}
