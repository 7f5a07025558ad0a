//! Asking all questions of a file.

use std::{ops::ControlFlow, path::Path};

use mpm_core::MpmBackend;
use mpm_train::evaluate::llava;

use super::Respondent;
use crate::{
    AnswerFile, AnswerLine, EvaluateError, LineError, LlavaAnswer, Question, QuestionSet,
    ReferenceLoss, llava::question_error,
};

/// The reason why an answer ended that says that it is none.
const CANCELLED: &str = "cancelled";

/// How an examination ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// All questions have answers.
    Complete,
    /// It was broken off; the answers so far are kept.
    BrokenOff,
}

/// Who watches an examination.
pub struct Watch<'a> {
    /// Asked before each question and at each piece of an answer whether to go on.
    pub flow: &'a dyn Fn() -> ControlFlow<()>,
    /// Told of each question that has its answer now.
    pub answered: &'a dyn Fn(),
}

/// Asks the questions that have no answer yet, in order, and keeps each answer at once. With the
/// answer comes the likelihood of the first right one.
///
/// `settings` is stored with each answer, see [`Settings`](super::Settings).
///
/// # Errors
/// [`EvaluateError::Line`] for a question that the model cannot be asked, or whose right answer has
/// a likelihood that is not finite, [`EvaluateError::Answers`].
pub fn examine<B: MpmBackend>(
    set: &QuestionSet,
    questions: &[Question],
    pictures: &Path,
    respondent: &mut Respondent<B>,
    answers: &mut AnswerFile<AnswerLine>,
    settings: &str,
    watch: &Watch<'_>,
) -> Result<Ended, EvaluateError> {
    for question in questions {
        if !answers.has(question.key()) {
            let answer = answer(question, pictures, respondent, settings, watch);
            match answer.map_err(|source| set.line_error(question.line, source))? {
                Some(answer) => answers.add(answer)?,
                None => return Ok(Ended::BrokenOff),
            }
        }
        (watch.answered)();
    }
    Ok(Ended::Complete)
}

/// The answer to a question; none if it was broken off.
fn answer<B: MpmBackend>(
    question: &Question,
    pictures: &Path,
    respondent: &mut Respondent<B>,
    settings: &str,
    watch: &Watch<'_>,
) -> Result<Option<AnswerLine>, LineError> {
    if (watch.flow)().is_break() {
        return Ok(None);
    }
    let image = question.image.as_ref();
    let features = image
        .map(|image| respondent.look_at(&pictures.join(image)))
        .transpose()?;
    let answer = respondent.ask(features.clone(), &question.question, watch.flow)?;
    if answer.finish == CANCELLED {
        return Ok(None);
    }
    let reference = match question.reference() {
        Some(text) => {
            let loss = respondent.loss_of(features, &question.question, text)?;
            Some(ReferenceLoss::new(text, loss)?)
        }
        None => None,
    };
    Ok(Some(AnswerLine {
        line: question.key(),
        question: question.question.clone(),
        answer: answer.answer,
        image: question.image.clone(),
        finish: Some(answer.finish.to_owned()),
        reference,
        settings: Some(settings.to_owned()),
    }))
}

/// The same for LLaVA's questions; `file` is where they come from.
///
/// # Errors
/// [`EvaluateError::Question`] for a question that the model cannot be asked,
/// [`EvaluateError::Answers`].
pub fn examine_llava<B: MpmBackend>(
    file: &Path,
    questions: &[llava::Question],
    pictures: &Path,
    respondent: &mut Respondent<B>,
    answers: &mut AnswerFile<LlavaAnswer>,
    settings: &str,
    watch: &Watch<'_>,
) -> Result<Ended, EvaluateError> {
    for question in questions {
        let id = question.question_id;
        if !answers.has(id) {
            if (watch.flow)().is_break() {
                return Ok(Ended::BrokenOff);
            }
            let wrong = |source| question_error(file, question, source);
            let path = pictures.join(&question.image);
            let features = respondent.look_at(&path).map_err(wrong)?;
            let answer = respondent
                .ask(Some(features), &question.text, watch.flow)
                .map_err(|error| wrong(error.into()))?;
            if answer.finish == CANCELLED {
                return Ok(Ended::BrokenOff);
            }
            answers.add(LlavaAnswer {
                question_id: id,
                prompt: Some(question.text.clone()),
                text: answer.answer,
                settings: Some(settings.to_owned()),
            })?;
        }
        (watch.answered)();
    }
    Ok(Ended::Complete)
}
