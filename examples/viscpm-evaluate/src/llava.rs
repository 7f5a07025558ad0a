//! Answers to the questions of LLaVA's test.

use std::{collections::HashMap, path::Path};

use mpm_train::evaluate::llava::Question;
use serde::{Deserialize, Serialize};

use crate::{EvaluateError, KeptAnswer, LineError, question::check_picture};

/// A line of answers, in the layout of LLaVA's own; other keys are ignored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LlavaAnswer {
    /// The question that it answers.
    pub question_id: u64,
    /// The question once more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The answer.
    pub text: String,
    /// A checksum of the model and its options, if it is ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
}

impl KeptAnswer for LlavaAnswer {
    fn key(&self) -> u64 {
        self.question_id
    }
}

impl LlavaAnswer {
    /// Whether answers are to these questions, and came about by these settings.
    pub fn check<'a>(
        questions: &'a [Question],
        settings: &'a str,
    ) -> impl Fn(&Self) -> Result<(), LineError> + 'a {
        let texts = questions
            .iter()
            .map(|question| (question.question_id, &question.text));
        let texts: HashMap<_, _> = texts.collect();
        move |answer| {
            let key = answer.question_id;
            let expected = texts.get(&key).ok_or(LineError::NoQuestion { key })?;
            if answer.settings.as_deref() != Some(settings) {
                return Err(LineError::OtherSettings);
            }
            match &answer.prompt {
                Some(found) if found != *expected => Err(LineError::OtherQuestion {
                    key,
                    found: found.clone(),
                    expected: (*expected).clone(),
                }),
                _ => Ok(()),
            }
        }
    }
}

/// Finds out whether the pictures of questions are there, before a model is loaded for them; `file`
/// is where the questions come from.
///
/// # Errors
/// [`EvaluateError::Question`] for the first that is not.
pub fn check_llava_pictures<'a>(
    file: &Path,
    questions: impl IntoIterator<Item = &'a Question>,
    folder: &Path,
) -> Result<(), EvaluateError> {
    for question in questions {
        check_picture(&folder.join(&question.image))
            .map_err(|source| question_error(file, question, source))?;
    }
    Ok(())
}

/// An error about a question of a file.
pub(crate) fn question_error(file: &Path, question: &Question, source: LineError) -> EvaluateError {
    EvaluateError::Question {
        file: file.to_owned(),
        id: question.question_id,
        source: Box::new(source),
    }
}
