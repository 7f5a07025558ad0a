//! Translations at hand.

use std::{collections::HashMap, path::Path};

use serde::{Deserialize, Serialize};

use super::{LineFile, TranslationError};

/// A translation, as the file has it.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    source: String,
    target: String,
    text: String,
    translation: String,
}

/// Translations from one language to another, in a file that only grows: a line of JSON each. One
/// file may hold those of many pairs of languages.
#[derive(Debug)]
pub struct TranslationCache {
    file: LineFile,
    source: String,
    target: String,
    translations: HashMap<String, String>,
}

impl TranslationCache {
    /// Opens a file, or makes it. The half of a line that a killed run left at its end is taken
    /// off; other lines that cannot be read are skipped and counted.
    ///
    /// # Errors
    /// [`TranslationError::InUse`] while another run has it open, [`TranslationError::File`].
    pub fn open(path: &Path, source: &str, target: &str) -> Result<Self, TranslationError> {
        let mut translations = HashMap::new();
        let file = LineFile::open(path, |entry: Entry| {
            if entry.source == source && entry.target == target {
                translations.insert(entry.text, entry.translation);
            }
        })?;
        Ok(Self {
            file,
            source: source.to_owned(),
            target: target.to_owned(),
            translations,
        })
    }

    /// The translation of a text.
    pub fn get(&self, text: &str) -> Option<&str> {
        self.translations.get(text).map(String::as_str)
    }

    /// How many translations between the two languages there are.
    pub fn len(&self) -> usize {
        self.translations.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.translations.is_empty()
    }

    /// Lines that could not be read.
    pub fn damaged(&self) -> u64 {
        self.file.damaged()
    }

    /// The language of the texts.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The language of the translations.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// Keeps pairs of a text and its translation, and waits until they are on the disk.
    ///
    /// # Errors
    /// [`TranslationError::File`].
    pub fn add(&mut self, pairs: Vec<(String, String)>) -> Result<(), TranslationError> {
        if pairs.is_empty() {
            return Ok(());
        }
        let entries = pairs.into_iter().map(|(text, translation)| Entry {
            source: self.source.clone(),
            target: self.target.clone(),
            text,
            translation,
        });
        let entries: Vec<_> = entries.collect();
        let written = self.file.add(&entries);
        let pairs = entries
            .into_iter()
            .map(|entry| (entry.text, entry.translation));
        self.translations.extend(pairs);
        Ok(written?)
    }
}
