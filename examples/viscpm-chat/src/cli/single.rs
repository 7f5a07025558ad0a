//! One question, one answer.

use std::{io, ops::ControlFlow, process::ExitCode};

use mpm_core::MpmBackend;
use mpm_data::picture::Picture;
use mpm_llm::decoding::DecodingParams;
use viscpm_chat::ChatSession;
use viscpm_common::cli::{BoxError, Interrupt, failure::INTERRUPTED, note, show};

use super::{
    refusal::{object, refusal},
    timed::Stopwatch,
};

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
    let mut stopwatch = Stopwatch::start();
    let mut written: io::Result<()> = Ok(());
    let answer = session.ask(question.text, params, |text| {
        stopwatch.hear(text);
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
        show(&stopwatch.object(&answer)?.to_string())?;
    }
    show("\n")?;
    Ok(if interrupt.pressed() {
        ExitCode::from(INTERRUPTED)
    } else {
        ExitCode::SUCCESS
    })
}
