//! What a run would do.

use std::path::Path;

use mpm_data::picture::{Picture, contact_sheet};
use mpm_train::{BoxError, MemoryEstimate, freeze::ParameterTable};

use crate::{Preview, RunError};

/// Pictures in a row of the sheet.
const COLUMNS: usize = 8;

/// What a run would do.
#[derive(Clone, Debug)]
pub struct DryRun {
    /// The parameters, and which of them train.
    pub parameters: ParameterTable,
    /// What it takes.
    pub memory: MemoryEstimate,
    /// The first batch, decoded.
    pub batch: Preview,
}

impl DryRun {
    /// Writes the pictures of the first batch side by side. False where it has none.
    ///
    /// # Errors
    /// [`RunError::Write`].
    pub fn write_pictures(&self, file: &Path) -> Result<bool, BoxError> {
        let pictures: &[Picture] = &self.batch.pictures;
        if pictures.is_empty() {
            return Ok(false);
        }
        let png = contact_sheet(pictures, COLUMNS.min(pictures.len()))?.encode_png(&[])?;
        std::fs::write(file, png).map_err(|source| RunError::Write {
            path: file.to_path_buf(),
            source,
        })?;
        Ok(true)
    }
}
