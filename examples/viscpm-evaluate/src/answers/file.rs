//! The files themselves.

use std::{collections::BTreeMap, fs, path::Path};

use mpm_data::translate::LineFile;
use serde::{Serialize, de::DeserializeOwned};
use viscpm_common::cli::lines::parse;

use crate::{EvaluateError, LineError};

/// What a line of answers is.
pub trait KeptAnswer: Serialize + DeserializeOwned {
    /// Names the question.
    fn key(&self) -> u64;
}

/// Reads the answers of a file by their questions, each after a check. A last line that a killed
/// run left incomplete is left out.
///
/// # Errors
/// [`EvaluateError::Open`] when there is no such file; [`EvaluateError::Line`] for a line that is no
/// answer, the second answer to a question, and what `check` refuses.
pub fn read_answers<T: KeptAnswer>(
    file: &Path,
    check: impl Fn(&T) -> Result<(), LineError>,
) -> Result<BTreeMap<u64, T>, EvaluateError> {
    let bytes = fs::read(file)
        .map_err(|error| EvaluateError::Open(format!("{}: {error}", file.display()).into()))?;
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    let mut answers = BTreeMap::new();
    for (line, text) in (1..).zip(bytes.split_inclusive(|&byte| byte == b'\n')) {
        let wrong = |source| EvaluateError::Line {
            file: file.to_owned(),
            line,
            source: Box::new(source),
        };
        if text.trim_ascii().is_empty() {
            continue;
        }
        let answer: T = match parse(text.trim_ascii_end()) {
            Ok(answer) => answer,
            // Only the last line can have no end.
            Err(_) if !text.ends_with(b"\n") => {
                tracing::warn!("{}: the last line is cut off", file.display());
                break;
            }
            Err(reason) => return Err(wrong(LineError::Syntax { reason })),
        };
        check(&answer).map_err(wrong)?;
        let key = answer.key();
        if answers.insert(key, answer).is_some() {
            return Err(wrong(LineError::Twice { key }));
        }
    }
    Ok(answers)
}

/// Answers that are kept as they come.
#[derive(Debug)]
pub struct AnswerFile<T> {
    file: Option<LineFile>,
    answers: BTreeMap<u64, T>,
}

impl<T: KeptAnswer> AnswerFile<T> {
    /// Answers that are forgotten with the program.
    pub fn in_memory() -> Self {
        Self {
            file: None,
            answers: BTreeMap::new(),
        }
    }

    /// Opens a file, or makes it, to go on behind its last whole line.
    ///
    /// # Errors
    /// Those of [`read_answers`], before anything in the file has changed;
    /// [`EvaluateError::Answers`] while another run has it open.
    pub fn open(
        path: &Path,
        check: impl Fn(&T) -> Result<(), LineError>,
    ) -> Result<Self, EvaluateError> {
        let answers = match path.exists() {
            true => read_answers(path, check)?,
            false => BTreeMap::new(),
        };
        Ok(Self {
            file: Some(LineFile::open(path, |_: T| {})?),
            answers,
        })
    }

    /// Keeps an answer, and waits until it is on the disk.
    ///
    /// # Errors
    /// [`EvaluateError::Answers`].
    pub fn add(&mut self, answer: T) -> Result<(), EvaluateError> {
        if let Some(file) = &mut self.file {
            file.add(std::slice::from_ref(&answer))?;
        }
        self.answers.insert(answer.key(), answer);
        Ok(())
    }

    /// Whether a question has its answer.
    pub fn has(&self, key: u64) -> bool {
        self.answers.contains_key(&key)
    }

    /// All answers by their questions.
    pub fn answers(&self) -> &BTreeMap<u64, T> {
        &self.answers
    }
}
