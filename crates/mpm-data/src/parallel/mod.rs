//! Sentences that say the same in several languages.
//!
//! Two layouts are read: tables with tabs, whose header has the codes of the languages, and JSON
//! lines of `{"en": "…", "zh": "…"}`. A row may lack languages.

mod error;
mod read;

use std::{
    collections::{BTreeMap, HashMap},
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

pub use error::ParallelError;

use crate::DataError;

/// Rows of sentences that are each other's translations.
///
/// ```
/// use mpm_data::parallel::ParallelCorpus;
///
/// let table = "en\tzh\tde\na cat\t一只猫\teine Katze\na dog\t\tein Hund\n";
/// let corpus = ParallelCorpus::read_tsv(table.as_bytes())?;
/// assert_eq!(corpus.pairs("en", "zh"), [("a cat", "一只猫")]);
/// assert_eq!(corpus.pairs("de", "en").len(), 2);
/// # Ok::<(), mpm_data::parallel::ParallelError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParallelCorpus {
    languages: Vec<String>,
    rows: Vec<BTreeMap<String, String>>,
}

impl ParallelCorpus {
    /// Reads a file: `.tsv` as a table, `.jsonl` and `.json` as JSON lines.
    ///
    /// # Errors
    /// [`DataError::Parallel`] names the file and the line.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let open = || File::open(path).map(BufReader::new);
        let read = || match path.extension().and_then(|extension| extension.to_str()) {
            Some("tsv") => Self::read_tsv(open()?),
            Some("jsonl" | "json") => Self::read_json_lines(open()?),
            _ => Err(ParallelError::Extension),
        };
        read().map_err(|source| DataError::Parallel {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads a table with a header of languages. A cell that is empty, or missing at the end of
    /// its row, is a sentence that is not there; there are no quotes and no escapes.
    ///
    /// # Errors
    /// [`ParallelError`] names the line.
    pub fn read_tsv(reader: impl BufRead) -> Result<Self, ParallelError> {
        read::tsv(reader)
    }

    /// Reads an object a line, from languages to sentences; `null` and empty sentences are not
    /// there.
    ///
    /// # Errors
    /// [`ParallelError`] names the line.
    pub fn read_json_lines(reader: impl BufRead) -> Result<Self, ParallelError> {
        read::json_lines(reader)
    }

    /// The languages, in the order in which they came first.
    pub fn languages(&self) -> &[String] {
        &self.languages
    }

    /// The rows, from language to sentence; none is empty.
    pub fn rows(&self) -> &[BTreeMap<String, String>] {
        &self.rows
    }

    /// The rows that have both languages.
    pub fn pairs(&self, source: &str, target: &str) -> Vec<(&str, &str)> {
        let rows = self.rows.iter();
        rows.filter_map(|row| Some((row.get(source)?.as_str(), row.get(target)?.as_str())))
            .collect()
    }

    /// The rows that have both languages, without sentences that have two translations: nobody
    /// could say which of them is the right one.
    pub fn unambiguous_pairs(&self, source: &str, target: &str) -> Vec<(&str, &str)> {
        let mut pairs = self.pairs(source, target);
        pairs.sort_unstable();
        pairs.dedup();
        let (mut sources, mut targets) = (HashMap::new(), HashMap::new());
        for &(source, target) in &pairs {
            *sources.entry(source).or_insert(0) += 1;
            *targets.entry(target).or_insert(0) += 1;
        }
        pairs.retain(|(source, target)| sources[source] == 1 && targets[target] == 1);
        pairs
    }
}

/// A corpus of rows at hand; languages in the order in which they come first.
impl FromIterator<BTreeMap<String, String>> for ParallelCorpus {
    fn from_iter<I: IntoIterator<Item = BTreeMap<String, String>>>(rows: I) -> Self {
        let mut corpus = Self::default();
        for row in rows {
            corpus.push(row);
        }
        corpus
    }
}

impl ParallelCorpus {
    /// Adds what is not empty of a row.
    fn push(&mut self, row: BTreeMap<String, String>) {
        let trimmed = row.into_iter().map(|(language, text)| {
            let text = text.trim().to_owned();
            (language, text)
        });
        let row: BTreeMap<_, _> = trimmed.filter(|(_, text)| !text.is_empty()).collect();
        for language in row.keys() {
            if !self.languages.contains(language) {
                self.languages.push(language.clone());
            }
        }
        if !row.is_empty() {
            self.rows.push(row);
        }
    }
}
