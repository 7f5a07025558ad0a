//! Why a test has no result.

use std::{io, path::PathBuf};

use mpm_data::translate::LineFileError;

use super::LlavaReport;

/// How many of the missing things a message names.
const SHOWN: usize = 5;

/// What keeps a test from coming to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LlavaError {
    /// A file cannot be read.
    #[error("{}: {source}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },

    /// A line of a file is not what it should be.
    #[error("{}, line {line}: {source}", file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// The parser's error.
        source: serde_json::Error,
    },

    /// There is nothing to judge.
    #[error("there are no questions")]
    NoQuestions,

    /// Two entries of a file have one key.
    #[error("the {what} {key} is there twice")]
    Duplicate {
        /// What is.
        what: &'static str,
        /// Its key.
        key: String,
    },

    /// Questions lack what a judge needs.
    #[error("{}{}", missing[..missing.len().min(SHOWN)].join("; "), more(missing.len()))]
    Missing {
        /// What each of them lacks.
        missing: Vec<String>,
    },

    /// The time between rounds is none.
    #[error("`pause_s` is {value}; it has to be a number of seconds")]
    Pause {
        /// The value.
        value: f64,
    },

    /// The cache cannot be used.
    #[error("the cache of replies: {0}")]
    Cache(#[from] LineFileError),

    /// The judge does not answer.
    #[error(
        "{silent} questions in a row brought no reply, the last because: {last}; {} judgements are \
         kept, start again to go on",
        report.judgements.len()
    )]
    Silent {
        /// Questions without a reply.
        silent: u32,
        /// What the last one said.
        last: String,
        /// What was done before.
        report: Box<LlavaReport>,
    },
}

fn more(missing: usize) -> String {
    match missing.saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!("; and {more} more"),
    }
}
