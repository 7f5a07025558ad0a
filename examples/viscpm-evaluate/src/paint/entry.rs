//! Pictures with the texts that they belong to.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{EvaluateError, LineError, json_lines, language_code, question::check_picture};

/// A line of the list of pictures.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PictureEntry {
    /// Where it is in the file, counted from 1.
    #[serde(skip)]
    pub line: usize,
    /// The picture, relative to the folder of pictures. Several lines may name it.
    pub image: PathBuf,
    /// What it shows.
    pub prompt: String,
    /// Of the prompt, ISO 639-1.
    #[serde(default = "language_code::english")]
    pub language: String,
}

/// A list of pictures.
#[derive(Clone, Debug)]
pub struct PictureSet {
    /// The file.
    pub file: PathBuf,
    /// Where the pictures are.
    pub folder: PathBuf,
    /// Its lines, in order.
    pub entries: Vec<PictureEntry>,
}

impl PictureSet {
    /// Reads and checks a list: JSON lines `{"image": "1.png", "prompt": "…", "language": "en"}`.
    /// The pictures need not be there.
    ///
    /// # Errors
    /// [`EvaluateError::Open`] and [`EvaluateError::Read`]; [`EvaluateError::Line`] for a line that
    /// is wrong, [`EvaluateError::Empty`] without any.
    pub fn open(file: &Path, folder: &Path) -> Result<Self, EvaluateError> {
        let mut set = Self {
            file: file.to_owned(),
            folder: folder.to_owned(),
            entries: Vec::new(),
        };
        for (line, entry) in json_lines::read::<PictureEntry>(file)? {
            let checked = match entry.prompt.trim().is_empty() {
                true => Err(LineError::EmptyText { key: "prompt" }),
                false => language_code::check(&entry.language),
            };
            checked.map_err(|source| set.line_error(line, source))?;
            set.entries.push(PictureEntry { line, ..entry });
        }
        match set.entries.is_empty() {
            true => Err(EvaluateError::Empty {
                path: set.file,
                what: "pictures",
            }),
            false => Ok(set),
        }
    }

    /// The file of a picture.
    pub fn path(&self, entry: &PictureEntry) -> PathBuf {
        self.folder.join(&entry.image)
    }

    /// Finds out whether all pictures are there.
    ///
    /// # Errors
    /// [`EvaluateError::Line`] for the first that is not.
    pub fn check_pictures(&self) -> Result<(), EvaluateError> {
        for entry in &self.entries {
            check_picture(&self.path(entry))
                .map_err(|source| self.line_error(entry.line, source))?;
        }
        Ok(())
    }

    /// Each picture once, in the order of the lines that name it first.
    pub fn distinct(&self) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for entry in &self.entries {
            if seen.insert(&entry.image) {
                paths.push(self.path(entry));
            }
        }
        paths
    }

    /// An error about a line of this file.
    pub fn line_error(&self, line: usize, source: LineError) -> EvaluateError {
        EvaluateError::Line {
            file: self.file.clone(),
            line,
            source: source.into(),
        }
    }
}
