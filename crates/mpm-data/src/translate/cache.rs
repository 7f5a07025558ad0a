//! Translations at hand.

use std::{
    collections::HashMap,
    fs::{self, File, OpenOptions, TryLockError},
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::TranslationError;

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
    path: PathBuf,
    file: File,
    source: String,
    target: String,
    translations: HashMap<String, String>,
    damaged: u64,
}

impl TranslationCache {
    /// Opens a file, or makes it. The half of a line that a killed run left at its end is taken
    /// off; other lines that cannot be read are skipped and counted.
    ///
    /// # Errors
    /// [`TranslationError::InUse`] while another run has it open, [`TranslationError::File`].
    pub fn open(path: &Path, source: &str, target: &str) -> Result<Self, TranslationError> {
        let failed = |error| TranslationError::file(path, error);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let mut options = OpenOptions::new();
        let file = options.read(true).append(true).create(true).open(path);
        let file = file.map_err(failed)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => TranslationError::InUse {
                path: path.to_owned(),
            },
            TryLockError::Error(error) => failed(error),
        })?;
        let mut cache = Self {
            path: path.to_owned(),
            file,
            source: source.to_owned(),
            target: target.to_owned(),
            translations: HashMap::new(),
            damaged: 0,
        };
        cache.load().map_err(failed)?;
        Ok(cache)
    }

    fn load(&mut self) -> std::io::Result<()> {
        let mut reader = BufReader::new(&self.file);
        let (mut line, mut whole) = (Vec::new(), 0);
        loop {
            line.clear();
            let count = reader.read_until(b'\n', &mut line)?;
            if !line.ends_with(b"\n") {
                break;
            }
            whole += count as u64;
            match serde_json::from_slice::<Entry>(&line) {
                Ok(entry) if entry.source == self.source && entry.target == self.target => {
                    self.translations.insert(entry.text, entry.translation);
                }
                Ok(_) => {}
                Err(_) => self.damaged += 1,
            }
        }
        if !line.is_empty() {
            tracing::warn!("took half a line off the end of {}", self.path.display());
            self.file.set_len(whole)?;
        }
        if self.damaged > 0 {
            let path = self.path.display();
            tracing::warn!("{path}: {} lines cannot be read; skipped", self.damaged);
        }
        Ok(())
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
        self.damaged
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
        let mut lines = Vec::new();
        for (text, translation) in pairs {
            let entry = Entry {
                source: self.source.clone(),
                target: self.target.clone(),
                text,
                translation,
            };
            serde_json::to_writer(&mut lines, &entry)
                .map_err(|error| TranslationError::file(&self.path, error.into()))?;
            lines.push(b'\n');
            self.translations.insert(entry.text, entry.translation);
        }
        let written = self.file.write_all(&lines);
        let written = written.and_then(|()| self.file.sync_data());
        written.map_err(|error| TranslationError::file(&self.path, error))
    }
}
