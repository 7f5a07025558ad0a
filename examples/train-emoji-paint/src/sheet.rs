//! Contact sheets.

use std::path::Path;

use emoji_training::BoxError;
use mpm_core::atomic;
use mpm_data::picture::{Picture, contact_sheet};

/// Pictures of a line; longer rows go on below.
const COLUMNS: usize = 12;

/// Writes rows of pictures as a PNG, one below the other, in as many lines as they take.
///
/// # Errors
/// When there are no pictures, when they differ in size, and when the file cannot be written.
pub fn write_sheet(file: &Path, rows: &[Vec<Picture>]) -> Result<(), BoxError> {
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let columns = COLUMNS.min(longest);
    let Some(first) = rows.iter().flatten().next() else {
        return Err("there is nothing to put on the sheet".into());
    };
    let white = vec![255; first.pixels().len()];
    let blank = Picture::from_rgb(first.width(), first.height(), white)?;
    let lines = (0..longest).step_by(COLUMNS);
    let pictures: Vec<_> = lines
        .flat_map(|start| rows.iter().map(move |row| row.iter().skip(start)))
        .flat_map(|line| line.chain(std::iter::repeat(&blank)).take(columns))
        .cloned()
        .collect();
    let bytes = contact_sheet(&pictures, columns)?.encode_png(&[])?;
    Ok(
        atomic::write_bytes(file, &bytes)
            .map_err(|error| format!("{}: {error}", file.display()))?,
    )
}
