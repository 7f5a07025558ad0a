//! What is wrong with a file of parallel sentences.

use std::io;

/// Why parallel sentences cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParallelError {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Read(#[from] io::Error),

    /// The layout cannot be told from the file's name.
    #[error("the name has to end in `.tsv`, `.jsonl` or `.json`, which says how to read the file")]
    Extension,

    /// A line is no text.
    #[error("line {line} is not UTF-8")]
    NotUtf8 {
        /// Counted from 1.
        line: usize,
        /// Where it ends being text.
        source: std::str::Utf8Error,
    },

    /// A table begins without the codes of its languages.
    #[error("the first line has to be the codes of the languages, with tabs in between")]
    NoHeader,

    /// A column has no language.
    #[error("column {column} of the header is empty: it has to be the code of a language")]
    NamelessColumn {
        /// Counted from 1.
        column: usize,
    },

    /// Two columns have the same language.
    #[error("the header has the language `{language}` twice")]
    LanguageTwice {
        /// Its code.
        language: String,
    },

    /// A row has cells of no language.
    #[error(
        "line {line} has {found} cells, but the header only {columns}; is a tab in a sentence?"
    )]
    TooManyCells {
        /// Counted from 1.
        line: usize,
        /// Cells of the line.
        found: usize,
        /// Columns of the header.
        columns: usize,
    },

    /// A line is no object from languages to sentences.
    #[error("line {line} is not an object from languages to sentences: {source}")]
    Json {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}
