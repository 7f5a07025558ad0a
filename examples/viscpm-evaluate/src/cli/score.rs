//! Answers of any system.

use std::process::ExitCode;

use serde_json::json;
use viscpm_common::cli::BoxError;
use viscpm_evaluate::{AnswerLine, QuestionSet, read_answers, score::score};

use super::{
    args::ScoreArgs,
    report::{probe, report},
};

/// Prints the figures of a file of answers.
pub fn run(args: &ScoreArgs) -> Result<ExitCode, BoxError> {
    let data = &args.data;
    let set = QuestionSet::open(&data.data)?;
    let questions = set.first(data.limit.map(Into::into));
    probe(data.json.as_deref())?;
    let answers = read_answers(&args.answers, |answer: &AnswerLine| {
        answer.of(&set).map(drop)
    })?;
    let figures = score(&set, questions, &answers)?;
    let mut object = json!({ "data": data.data, "answers": args.answers });
    object["rows"] = figures.to_json()["rows"].take();
    object["unanswered"] = json!(figures.unanswered);
    report(&figures.to_string(), data.json.as_deref(), &object)?;
    Ok(ExitCode::SUCCESS)
}
