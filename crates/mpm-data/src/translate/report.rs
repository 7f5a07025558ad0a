//! What became of the texts.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use serde::Serialize;

use super::{ReplyFaults, TranslationError};

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TranslationReport {
    /// Texts that were translated before.
    pub cached: u64,
    /// Texts that this run translated.
    pub translated: u64,
    /// Exchanges with the service.
    pub exchanges: u64,
    /// Exchanges that broke off.
    pub broken: u64,
    /// What was wrong with replies.
    pub faults: ReplyFaults,
    /// Texts without a translation, and replies that belong to no text.
    pub failures: Vec<TranslationFailure>,
}

/// A text without a translation, or a reply that belongs to no text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TranslationFailure {
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The beginning of the reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// What was wrong, for a text the last time.
    pub reason: String,
}

impl TranslationReport {
    /// Texts without a translation.
    pub fn failed(&self) -> usize {
        let failures = self.failures.iter();
        failures.filter(|failure| failure.text.is_some()).count()
    }

    /// Writes the failures, a line of JSON each. Those of an earlier run are replaced.
    ///
    /// # Errors
    /// [`TranslationError::File`].
    pub fn write_failures(&self, path: &Path) -> Result<(), TranslationError> {
        let write = || -> io::Result<()> {
            let mut file = io::BufWriter::new(fs::File::create(path)?);
            for failure in &self.failures {
                serde_json::to_writer(&mut file, failure)?;
                file.write_all(b"\n")?;
            }
            file.flush()
        };
        write().map_err(|error| TranslationError::file(path, error))
    }
}
