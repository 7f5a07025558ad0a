//! LLaVA's test.

use std::{
    collections::BTreeMap,
    env, fmt,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use mpm_core::{MpmBackend, backend::BackendTask};
use mpm_train::evaluate::llava::{
    Answer, AnswerJudge, CategoryScore, ChatEndpoint, ChatOptions, CommandJudge, JudgeCache,
    JudgeLanguage, JudgeOptions, LlavaError, LlavaReport, Question, cases, judge_cases, read_cases,
    read_lines,
};
use serde_json::{Value, json};
use viscpm_common::cli::BoxError;
use viscpm_evaluate::{AnswerFile, LlavaAnswer, chat::examine_llava, check_llava_pictures};

use super::{
    args::{JudgeArgs, JudgeLanguageArg, LlavaArgs},
    model::Asked,
    report::{probe, report},
    watched::{bar, watched},
};

/// A variable of the environment that is missing.
#[derive(Debug)]
struct NoKey(String, env::VarError);

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "--judge-key names the variable {}: {}", self.0, self.1)
    }
}

impl std::error::Error for NoKey {}

/// Asks what has no answer yet, has all answers judged, and prints the table.
pub fn run(args: LlavaArgs) -> Result<ExitCode, BoxError> {
    probe(args.json.as_deref())?;
    let mut judge = judge(&args.judge)?;
    // Mistakes in files come to light before the model is asked.
    let questions = questions(&args)?;
    let replies = args.judge.replies.clone();
    let mut cache = JudgeCache::open(&replies.unwrap_or_else(|| beside(&args.answers)))?;
    let model = &args.ask.model;
    if (model.model.is_some() || model.checkpoint.is_some())
        && let Some(code) = ask(&args, &questions)?
    {
        return Ok(code);
    }
    let cases = read_cases(
        &args.questions,
        &args.context,
        &args.reference,
        &args.answers,
    )?;
    let bar = bar(cases.len(), "judgements");
    let options = options(&args.judge);
    let judged = judge_cases(&cases, &mut *judge, &mut cache, &options, &mut |progress| {
        bar.set_position(progress.judged as u64);
    })?;
    bar.finish_and_clear();
    report(&judged.to_string(), args.json.as_deref(), &figures(&judged))?;
    Ok(match judged.failures.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// The questions, each of which has all that a judge needs but for the model's answer.
fn questions(args: &LlavaArgs) -> Result<Vec<Question>, LlavaError> {
    let questions: Vec<Question> = read_lines(&args.questions)?;
    let answered = questions.iter().map(|question| Answer {
        question_id: question.question_id,
        text: String::new(),
    });
    let (contexts, references) = (read_lines(&args.context)?, read_lines(&args.reference)?);
    cases(questions.clone(), contexts, references, answered.collect())?;
    Ok(questions)
}

/// Asks the model what has no answer yet; an exit code if that was broken off.
fn ask(args: &LlavaArgs, questions: &[Question]) -> Result<Option<ExitCode>, BoxError> {
    let asked = Asked::find(&args.ask)?;
    let settings = asked.settings.clone();
    let check = LlavaAnswer::check(questions, &settings);
    let mut answers = AnswerFile::open(&args.answers, check)?;
    let is_open = |question: &&Question| !answers.has(question.question_id);
    let open: Vec<_> = questions.iter().filter(is_open).collect();
    if open.is_empty() {
        return Ok(None);
    }
    let folder = args.questions.parent().unwrap_or(Path::new(""));
    let pictures = args.pictures.as_deref().unwrap_or(folder);
    if !args.ask.without_picture {
        check_llava_pictures(&args.questions, open, pictures)?;
    }
    args.ask.backend.run(Examination {
        asked,
        settings: &settings,
        file: &args.questions,
        questions,
        pictures,
        answers: &mut answers,
    })?
}

struct Examination<'a> {
    asked: Asked,
    settings: &'a str,
    file: &'a Path,
    questions: &'a [Question],
    pictures: &'a Path,
    answers: &'a mut AnswerFile<LlavaAnswer>,
}

impl BackendTask for Examination<'_> {
    type Output = Result<Option<ExitCode>, BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let mut respondent = self.asked.load::<B>(&device)?;
        let goes_on = "run it again to go on";
        watched(self.questions.len(), "questions", goes_on, |watch| {
            examine_llava(
                self.file,
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

/// The judge that the arguments name.
fn judge(args: &JudgeArgs) -> Result<Box<dyn AnswerJudge>, NoKey> {
    let seconds = args.judge_timeout.get();
    // One of the two is there: clap asks for it.
    if let Some(url) = &args.judge_url {
        let mut headers = BTreeMap::new();
        if let Some(variable) = &args.judge_key {
            let key = env::var(variable).map_err(|error| NoKey(variable.clone(), error))?;
            headers.insert("Authorization".to_owned(), format!("Bearer {key}"));
        }
        let options = ChatOptions {
            headers,
            timeout_s: seconds,
            ..ChatOptions::default()
        };
        let name = args.judge_name.clone().unwrap_or_default();
        return Ok(Box::new(ChatEndpoint::new(url, name, options)));
    }
    let command = args.judge_command.clone().unwrap_or_default();
    let name = args.judge_name.clone().unwrap_or_else(|| command.clone());
    let timeout = Duration::from_secs(seconds.into());
    Ok(Box::new(CommandJudge::new(command, name, timeout)))
}

fn options(args: &JudgeArgs) -> JudgeOptions {
    let default = JudgeOptions::default();
    JudgeOptions {
        language: match args.judge_language {
            JudgeLanguageArg::English => JudgeLanguage::English,
            JudgeLanguageArg::Chinese => JudgeLanguage::Chinese,
        },
        rounds: args.rounds.unwrap_or(default.rounds),
        pause_s: args.pause.unwrap_or(default.pause_s),
        ..default
    }
}

/// The file of replies beside that of answers.
fn beside(answers: &Path) -> PathBuf {
    let name = answers.file_stem().unwrap_or_default().to_string_lossy();
    answers.with_file_name(format!("{name}-replies.jsonl"))
}

/// The table and all judgements, for programs.
fn figures(judged: &LlavaReport) -> Value {
    let score = |score: CategoryScore| json!({ "questions": score.questions, "relative": score.relative() });
    let categories = judged.categories().into_iter();
    let categories: BTreeMap<&str, Value> = categories
        .map(|(name, category)| (name, score(category)))
        .collect();
    json!({
        "all": score(judged.all()),
        "categories": categories,
        "report": judged,
    })
}
