//! The files that the patterns of a data set stand for.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{DatasetConfig, DatasetError};
use crate::DataError;

impl DatasetConfig {
    /// The same data set with the files that its patterns match, those of a pattern in the order
    /// of their names.
    ///
    /// In a pattern, `*` and `?` stand for characters of one name, `**` for any folders, and
    /// `[a-z]` for one of some characters. A file that is really called so is taken as it is.
    ///
    /// # Errors
    /// [`DatasetError::NoMatch`] and [`DatasetError::Pattern`] for a pattern that matches nothing
    /// or is none, [`DatasetError::Missing`] for a file that is not there, and
    /// [`DatasetError::NoFiles`] for a data set without any.
    pub fn expand(&self) -> Result<Self, DataError> {
        let mut files = Vec::new();
        for path in &self.files {
            let found = matches(path).map_err(|source| DataError::Dataset {
                path: path.clone(),
                source,
            })?;
            files.extend(found);
        }
        if files.is_empty() {
            return Err(DataError::Dataset {
                path: PathBuf::new(),
                source: DatasetError::NoFiles,
            });
        }
        Ok(Self {
            files,
            ..self.clone()
        })
    }
}

fn matches(path: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    if path.try_exists()? {
        return Ok(vec![path.to_path_buf()]);
    }
    let pattern = path.to_str();
    let Some(pattern) = pattern.filter(|text| text.contains(['*', '?', '['])) else {
        return Err(DatasetError::Missing);
    };
    let found = glob::glob(pattern).map_err(|error| DatasetError::Pattern {
        pattern: pattern.to_owned(),
        reason: error.msg,
    })?;
    let found: Result<Vec<_>, _> = found.collect();
    let mut found = found.map_err(io::Error::from)?;
    found.retain(|path| !path.is_dir());
    found.sort();
    match found.is_empty() {
        false => Ok(found),
        true => Err(DatasetError::NoMatch {
            pattern: pattern.to_owned(),
        }),
    }
}
