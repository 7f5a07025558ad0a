//! What can be known of a data set's files before they are read.

use std::path::Path;

use rayon::prelude::*;

use super::{DatasetConfig, DatasetError, MixMember};
use crate::DataError;

impl DatasetConfig {
    /// Checks all files that the data set names, several at a time: that they are there, begin as
    /// the format says, have the columns that are needed, and are not cut off. That takes a few
    /// reads of a file, for an archive one of each entry's header, but not of what is in them.
    ///
    /// A file that ends too early is found by the footer of Parquet, the headers of an
    /// uncompressed archive, the last bracket of uncompressed JSON, and the blocks of Zstandard.
    /// One of gzip, of CSV or of Conceptual Captions is not, nor one that ends between two lines
    /// or, by chance, behind another bracket.
    ///
    /// # Errors
    /// As [`expand`](Self::expand) and [`open`](Self::open), for the first of the files that
    /// cannot be used.
    pub fn check(&self) -> Result<(), DataError> {
        let named = |path: &Path| {
            let path = path.to_path_buf();
            |source| DataError::Dataset { path, source }
        };
        let dataset = self.expand()?;
        if let Some(folder) = &dataset.pictures
            && !folder.is_dir()
        {
            return Err(named(folder)(DatasetError::Missing));
        }
        let files = dataset.files.par_iter();
        let bad = files.find_map_first(|file| dataset.probe(file).map_err(named(file)).err());
        bad.map_or(Ok(()), Err)
    }
}

impl MixMember {
    /// Checks the files of the data set.
    ///
    /// # Errors
    /// [`DataError::Member`] with what [`DatasetConfig::check`] says.
    pub fn check(&self) -> Result<(), DataError> {
        self.dataset.check().map_err(|source| DataError::Member {
            name: self.name.clone(),
            source: Box::new(source),
        })
    }
}
