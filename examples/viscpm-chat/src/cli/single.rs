//! One question, one answer.

use std::{io, ops::ControlFlow, process::ExitCode, time::Instant};

use mpm_core::MpmBackend;
use mpm_data::picture::Picture;
use mpm_llm::decoding::DecodingParams;
use serde_json::json;
use viscpm_chat::ChatSession;
use viscpm_common::cli::{BoxError, Interrupt, failure::INTERRUPTED, note, show};

use super::refusal::{object, refusal};

/// What is asked, and how the answer is to look.
pub struct Question<'a> {
    /// Plain text.
    pub text: &'a str,
    /// What it is about.
    pub picture: Option<Picture>,
    /// A JSON object instead of streamed text.
    pub json: bool,
}

pub fn run<B: MpmBackend>(
    mut session: ChatSession<'_, B>,
    question: Question<'_>,
    params: &DecodingParams,
) -> Result<ExitCode, BoxError> {
    let interrupt = Interrupt::install()?;
    match &question.picture {
        None => note("no picture was named (--image): the answer is about none\n"),
        Some(picture) => {
            if let Err(error) = session.show(picture) {
                if question.json && refusal(&error).is_some() {
                    show(&format!("{}\n", object(&error)))?;
                    return Ok(ExitCode::FAILURE);
                }
                return Err(error.into());
            }
        }
    }
    let started = Instant::now();
    let mut first_text = None;
    let mut written: io::Result<()> = Ok(());
    let answer = session.ask(question.text, params, |text| {
        if !text.is_empty() {
            first_text.get_or_insert_with(|| started.elapsed());
        }
        if !question.json {
            written = show(text);
        }
        if written.is_err() {
            return ControlFlow::Break(());
        }
        interrupt.flow()
    })?;
    written?;
    if question.json {
        let mut object = serde_json::to_value(&answer)?;
        let seconds = started.elapsed().as_secs_f64();
        object["seconds"] = json!(seconds);
        object["seconds_to_first_text"] = json!(first_text.map(|time| time.as_secs_f64()));
        show(&object.to_string())?;
    }
    show("\n")?;
    Ok(if interrupt.pressed() {
        ExitCode::from(INTERRUPTED)
    } else {
        ExitCode::SUCCESS
    })
}
