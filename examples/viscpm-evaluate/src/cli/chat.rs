//! Questions to a chat model.

use std::{path::Path, process::ExitCode};

use mpm_core::{MpmBackend, backend::BackendTask};
use serde_json::json;
use viscpm_common::cli::BoxError;
use viscpm_evaluate::{
    AnswerFile, AnswerLine, LineError, Question, QuestionSet, chat::examine, score::score,
};

use super::{
    args::ChatArgs,
    model::Asked,
    report::{probe, report},
    watched::watched,
};

/// Asks what has no answer yet, and prints the figures.
pub fn run(args: ChatArgs) -> Result<ExitCode, BoxError> {
    let data = &args.data;
    let set = QuestionSet::open(&data.data)?;
    let questions = set.first(data.limit.map(Into::into));
    let pictures = args.pictures.as_deref();
    let pictures = pictures.unwrap_or_else(|| data.data.parent().unwrap_or(Path::new("")));
    if !args.ask.without_picture {
        set.check_pictures(questions, pictures)?;
    }
    probe(data.json.as_deref())?;
    let asked = Asked::find(&args.ask)?;
    let settings = asked.settings.clone();
    let check = |answer: &AnswerLine| {
        answer.of(&set)?;
        match answer.settings.as_ref() == Some(&settings) {
            true => Ok(()),
            false => Err(LineError::OtherSettings),
        }
    };
    let mut answers = match &args.answers {
        Some(file) => AnswerFile::open(file, check)?,
        None => AnswerFile::in_memory(),
    };
    let is_open = |question: &Question| !answers.has(question.key());
    if questions.iter().any(is_open) {
        let examination = Examination {
            asked,
            settings: &settings,
            set: &set,
            questions,
            pictures,
            answers: &mut answers,
            is_kept: args.answers.is_some(),
        };
        if let Some(code) = args.ask.backend.run(examination)?? {
            return Ok(code);
        }
    }
    let figures = score(&set, questions, answers.answers())?;
    let mut object = json!({
        "data": data.data,
        "answers": args.answers,
        "without_picture": args.ask.without_picture,
        "settings": settings,
    });
    object["rows"] = figures.to_json()["rows"].take();
    report(&figures.to_string(), data.json.as_deref(), &object)?;
    Ok(ExitCode::SUCCESS)
}

struct Examination<'a> {
    asked: Asked,
    settings: &'a str,
    set: &'a QuestionSet,
    questions: &'a [Question],
    pictures: &'a Path,
    answers: &'a mut AnswerFile<AnswerLine>,
    is_kept: bool,
}

impl BackendTask for Examination<'_> {
    /// An exit code if it was broken off.
    type Output = Result<Option<ExitCode>, BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let mut respondent = self.asked.load::<B>(&device)?;
        let goes_on = match self.is_kept {
            true => "run it again to go on",
            false => "with --answers it could go on",
        };
        watched(self.questions.len(), "questions", goes_on, |watch| {
            examine(
                self.set,
                self.questions,
                self.pictures,
                &mut respondent,
                self.answers,
                self.settings,
                watch,
            )
        })
    }
}
