//! Tar archives, by the headers of their entries.

use std::{fs::File, io::Seek};

use tar::Archive;

use super::{
    super::{
        super::DatasetError,
        limited::{Limited, MAX_HEADERS},
    },
    cut_off,
};

/// Goes from header to header. The blocks of zeros at the end may be missing, as some writers
/// leave them out, but no part of an entry.
pub(super) fn check(file: File) -> Result<(), DatasetError> {
    let length = file.metadata()?.len();
    if length == 0 {
        return Err(cut_off("at its head".into(), length));
    }
    let file = Limited::new(file, MAX_HEADERS);
    let budget = file.budget();
    let mut archive = Archive::new(file);
    let mut place = "at its head".to_owned();
    for entry in archive.entries_with_seek()? {
        budget.renew();
        match entry {
            Ok(entry) => place = format!("behind entry {}", entry.path_bytes().escape_ascii()),
            Err(error) => {
                let reason = error.to_string();
                return Err(DatasetError::Damaged { place, reason });
            }
        }
    }
    // Content is skipped by seeking, beyond the end of the file if there is less of it.
    if archive.into_inner().stream_position()? > length {
        return Err(cut_off(place, length));
    }
    Ok(())
}
