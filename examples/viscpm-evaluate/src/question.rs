//! Questions with the answers that are right.

use std::{
    fs,
    path::{Path, PathBuf},
};

use mpm_data::{DataError, picture::PictureError};
use serde::{Deserialize, Serialize};

use crate::{EvaluateError, LineError, json_lines, language_code};

/// What separates the names of a keyword.
const SYNONYM: char = '|';

/// What is asked for, which decides the metrics.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Task {
    /// An answer that has to equal one of the right ones.
    #[default]
    Exact,
    /// An answer that ten people have given, too; with fewer it is compared as by
    /// [`Exact`](Self::Exact).
    Vqa,
    /// A sentence that is compared with those of people.
    Caption,
    /// A text that has to name things. Each answer is a thing; its names are separated by `|`.
    Keywords,
}

impl Task {
    /// The name, as in the data.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Vqa => "vqa",
            Self::Caption => "caption",
            Self::Keywords => "keywords",
        }
    }
}

/// A line of the data.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Where it is in the file, counted from 1.
    #[serde(skip)]
    pub line: usize,
    /// The picture, relative to the folder of pictures.
    #[serde(default)]
    pub image: Option<PathBuf>,
    /// The question.
    pub question: String,
    /// What is right, at least one text that is not empty.
    pub answers: Vec<String>,
    /// Of question and answers, ISO 639-1.
    #[serde(default = "language_code::english")]
    pub language: String,
    /// What is asked for.
    #[serde(default)]
    pub task: Task,
}

impl Question {
    /// The names of a keyword, its own first.
    pub fn names(answer: &str) -> impl Iterator<Item = &str> {
        answer.split(SYNONYM).map(str::trim)
    }

    /// The texts that are right: all names of keywords, else the answers.
    pub fn right_texts(&self) -> Vec<&str> {
        let answers = self.answers.iter();
        match self.task {
            Task::Keywords => answers.flat_map(|answer| Self::names(answer)).collect(),
            _ => answers.map(String::as_str).collect(),
        }
    }

    /// The answer whose likelihood is measured; a keyword is none.
    pub fn reference(&self) -> Option<&str> {
        match self.task {
            Task::Keywords => None,
            _ => self.answers.first().map(String::as_str),
        }
    }

    /// What stands for the question in a file of answers.
    pub fn key(&self) -> u64 {
        self.line as u64
    }

    fn check(&self) -> Result<(), LineError> {
        language_code::check(&self.language)?;
        if self.question.trim().is_empty() {
            return Err(LineError::EmptyText { key: "question" });
        }
        if self.answers.iter().all(|answer| answer.trim().is_empty()) {
            return Err(LineError::NoAnswers);
        }
        if self.task == Task::Keywords {
            let mut names = self.right_texts().into_iter();
            let empty = names.find(|name| !name.chars().any(char::is_alphanumeric));
            if let Some(name) = empty {
                let name = name.to_owned();
                return Err(LineError::EmptyKeyword { name });
            }
        }
        Ok(())
    }
}

/// A file of questions.
#[derive(Clone, Debug)]
pub struct QuestionSet {
    /// The file.
    pub file: PathBuf,
    /// Its questions, in order.
    pub questions: Vec<Question>,
}

impl QuestionSet {
    /// Reads and checks a file: JSON lines `{"image": "1.png", "question": "…", "answers": ["…"],
    /// "language": "de", "task": "vqa"}`.
    ///
    /// # Errors
    /// [`EvaluateError::Open`] and [`EvaluateError::Read`]; [`EvaluateError::Line`] for a line that
    /// is no question, [`EvaluateError::Empty`] without any.
    pub fn open(file: &Path) -> Result<Self, EvaluateError> {
        let mut set = Self {
            file: file.to_owned(),
            questions: Vec::new(),
        };
        for (line, question) in json_lines::read::<Question>(file)? {
            question
                .check()
                .map_err(|source| set.line_error(line, source))?;
            set.questions.push(Question { line, ..question });
        }
        match set.questions.is_empty() {
            true => Err(EvaluateError::Empty {
                path: set.file,
                what: "questions",
            }),
            false => Ok(set),
        }
    }

    /// The first questions, all without a limit.
    pub fn first(&self, limit: Option<usize>) -> &[Question] {
        let all = self.questions.len();
        &self.questions[..limit.map_or(all, |limit| limit.min(all))]
    }

    /// The question of a key in a file of answers.
    pub fn find(&self, key: u64) -> Option<&Question> {
        let found = self.questions.binary_search_by_key(&key, Question::key);
        found.ok().map(|place| &self.questions[place])
    }

    /// Finds out whether the pictures of questions are there, before a model is loaded for them.
    ///
    /// # Errors
    /// [`EvaluateError::Line`] for the first that is not.
    pub fn check_pictures(
        &self,
        questions: &[Question],
        folder: &Path,
    ) -> Result<(), EvaluateError> {
        for question in questions {
            if let Some(image) = &question.image {
                check_picture(&folder.join(image))
                    .map_err(|source| self.line_error(question.line, source))?;
            }
        }
        Ok(())
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

/// Whether a file is there, without decoding it.
pub(crate) fn check_picture(path: &Path) -> Result<(), LineError> {
    let Err(error) = fs::metadata(path) else {
        return Ok(());
    };
    Err(LineError::Picture(DataError::Picture {
        path: path.to_owned(),
        source: match error.kind() {
            std::io::ErrorKind::NotFound => PictureError::Missing(error),
            _ => PictureError::Unreadable(error),
        },
    }))
}
