//! Whether a file reaches to its end, without reading it.

mod archive;
mod json;
mod zstandard;

use std::{
    fs::File,
    io::{BufRead, BufReader, Seek},
    path::Path,
};

use super::{
    super::{DatasetError, DatasetFormat},
    input::Compression,
};

/// Finds a file that is cut off. Where gzip ends, or lines that are no objects, is known only to
/// those who read it; Parquet cannot be opened without its end.
///
/// # Errors
/// [`DatasetError::Damaged`] with the place where something is missing.
pub(super) fn check(path: &Path, format: DatasetFormat) -> Result<(), DatasetError> {
    let mut file = BufReader::new(File::open(path)?);
    let compression = Compression::of(file.fill_buf()?);
    file.rewind()?;
    let file = file.into_inner();
    match (compression, format) {
        (Compression::Zstandard, _) => zstandard::check(file),
        (Compression::Gzip, _) => Ok(()),
        (Compression::None, DatasetFormat::Webdataset) => archive::check(file),
        (Compression::None, DatasetFormat::Llava) => json::check(file, b']'),
        (
            Compression::None,
            DatasetFormat::CocoCaptions | DatasetFormat::JsonLines | DatasetFormat::M3it,
        ) => json::check(file, b'}'),
        _ => Ok(()),
    }
}

/// What is said of a file that ends too early.
fn cut_off(place: String, length: u64) -> DatasetError {
    DatasetError::Damaged {
        place,
        reason: format!("the file is cut off after {length} bytes"),
    }
}
