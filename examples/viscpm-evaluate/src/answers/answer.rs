//! An answer as its file has it.

use std::path::PathBuf;

use mpm_train::evaluate::perplexity::Perplexity;
use serde::{Deserialize, Serialize};

use super::KeptAnswer;
use crate::{LineError, Question, QuestionSet};

/// A line of answers. Of another system the first three are enough; other keys are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnswerLine {
    /// Line of the question in its file, counted from 1.
    pub line: u64,
    /// The question once more, so that answers to other data are noticed.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// The question's picture, for the same reason: many data sets ask the same of each.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<PathBuf>,
    /// Why the answer ended, as a chat session says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<String>,
    /// How well the model foresees the first of the right answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<ReferenceLoss>,
    /// A checksum of the model and its options.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<String>,
}

/// The likelihood of a right answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReferenceLoss {
    /// The right answer.
    pub text: String,
    /// Its loss.
    #[serde(flatten)]
    pub loss: Perplexity,
}

impl ReferenceLoss {
    /// A right answer with its loss.
    ///
    /// # Errors
    /// [`LineError::NotFinite`], as f16 and broken weights may give it: JSON has no number for it.
    pub fn new(text: &str, loss: Perplexity) -> Result<Self, LineError> {
        let value = loss.negative_log_likelihood;
        match value.is_finite() {
            true => Ok(Self {
                text: text.to_owned(),
                loss,
            }),
            false => Err(LineError::NotFinite { value }),
        }
    }
}

impl KeptAnswer for AnswerLine {
    fn key(&self) -> u64 {
        self.line
    }
}

impl AnswerLine {
    /// The question that is answered.
    ///
    /// # Errors
    /// [`LineError::NoQuestion`] and [`LineError::OtherQuestion`] for answers to other data.
    pub fn of<'a>(&self, set: &'a QuestionSet) -> Result<&'a Question, LineError> {
        let key = self.line;
        let question = set.find(key).ok_or(LineError::NoQuestion { key })?;
        let shown = |text: &str, image: Option<&PathBuf>| match image {
            Some(image) => format!("{}: {text}", image.display()),
            None => text.to_owned(),
        };
        // Another system need not repeat the picture.
        let image = self.image.as_ref().or(question.image.as_ref());
        match self.question == question.question && image == question.image.as_ref() {
            true => Ok(question),
            false => Err(LineError::OtherQuestion {
                key,
                found: shown(&self.question, image),
                expected: shown(&question.question, question.image.as_ref()),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_that_is_not_finite_is_an_error() {
        let of = |sum: f64| {
            let mut loss = Perplexity::default();
            loss.add(sum, 3);
            ReferenceLoss::new("a cat", loss)
        };
        assert!(of(0.5).is_ok_and(|kept| kept.text == "a cat" && kept.loss.tokens == 3));
        for sum in [f64::NAN, f64::INFINITY] {
            let error = of(sum).err().map(|error| error.to_string());
            let error = error.unwrap_or_default();
            assert!(error.contains("not finite; try --dtype"), "{error}");
        }
    }
}
