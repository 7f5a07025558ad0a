//! One question, one answer.

use std::{io, ops::ControlFlow, process::ExitCode, time::Instant};

use mpm_core::MpmBackend;
use mpm_data::picture::Picture;
use mpm_llm::decoding::DecodingParams;
use serde_json::json;
use viscpm_chat::{ChatModel, ChatSession};

use super::{Args, BoxError, interrupt::Interrupt, show};

/// What shells report for a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

pub fn run<B: MpmBackend>(
    model: &ChatModel<B>,
    args: &Args,
    question: &str,
    params: &DecodingParams,
    interrupt: &Interrupt,
) -> Result<ExitCode, BoxError> {
    let mut session = ChatSession::new(model);
    if let Some(image) = &args.image {
        session.show(&Picture::open(image)?)?;
    }
    let started = Instant::now();
    let mut first_text = None;
    let mut written: io::Result<()> = Ok(());
    let answer = session.ask(question, params, |text| {
        if !text.is_empty() {
            first_text.get_or_insert_with(|| started.elapsed());
        }
        if !args.json && written.is_ok() {
            written = show(text);
        }
        if written.is_err() {
            return ControlFlow::Break(());
        }
        interrupt.flow()
    })?;
    written?;
    if args.json {
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
