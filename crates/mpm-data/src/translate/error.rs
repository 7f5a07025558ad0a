//! Why a data set is not translated.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{LineFileError, TranslationReport};

/// What keeps a translation from coming to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TranslationError {
    /// There is nothing to translate from or to.
    #[error(
        "`source` and `target` have to be two languages, but are `{language_source}` and `{target}`"
    )]
    Languages {
        /// The language of the texts.
        language_source: String,
        /// The language of the translations.
        target: String,
    },

    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// Another run writes to the same file.
    #[error("{} is in use by another run; wait for its end, or name another folder", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },

    /// The folder of results would be overwritten.
    #[error(
        "{} is there already; remove it or name another folder (translations at hand are not \
         asked for again)",
        path.display()
    )]
    Exists {
        /// The folder.
        path: PathBuf,
    },

    /// A time of the configuration is none.
    #[error("`{field}` is {value}; it has to be a number of seconds, a timeout above 0")]
    Seconds {
        /// The field.
        field: &'static str,
        /// Its value.
        value: f64,
    },

    /// The service does not answer.
    #[error(
        "{silent} exchanges in a row brought no answer, the last because: {last}; {} texts are \
         translated and kept, start again to go on",
        report.translated + report.cached
    )]
    Silent {
        /// Exchanges without an answer.
        silent: u32,
        /// What the last one said.
        last: String,
        /// What was done before.
        report: Box<TranslationReport>,
    },

    /// No example has all of its texts translated.
    #[error(
        "no example has all of its texts translated, {} texts failed; `failures.jsonl` beside the \
         cache says why",
        report.failed()
    )]
    Nothing {
        /// What was done.
        report: Box<TranslationReport>,
    },
}

impl From<LineFileError> for TranslationError {
    fn from(error: LineFileError) -> Self {
        match error {
            LineFileError::File { path, source } => Self::File { path, source },
            LineFileError::InUse { path } => Self::InUse { path },
        }
    }
}

impl TranslationError {
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source,
        }
    }
}
