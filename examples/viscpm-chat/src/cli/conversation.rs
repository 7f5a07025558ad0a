//! A conversation on the terminal.

use std::{io, ops::ControlFlow, path::Path, process::ExitCode};

use mpm_core::MpmBackend;
use mpm_data::picture::Picture;
use mpm_llm::decoding::DecodingParams;
use rustyline::{DefaultEditor, error::ReadlineError};
use viscpm_chat::{ChatModel, ChatSession};

use super::{BoxError, interrupt::Interrupt, report, show};

const HELP: &str = "\
Ask about the picture. 请就图片提问。
  /image FILE   show another picture  换一张图片
  /reset        forget the turns      忘掉之前的对话
  /help         this text             显示帮助
Ctrl-C stops an answer, Ctrl-D ends. Ctrl-C 停止回答，Ctrl-D 退出。
";

pub fn run<B: MpmBackend>(
    model: &ChatModel<B>,
    image: Option<&Path>,
    params: &DecodingParams,
    interrupt: &Interrupt,
) -> Result<ExitCode, BoxError> {
    let mut session = ChatSession::new(model);
    if let Some(image) = image {
        session.show(&Picture::open(image)?)?;
    }
    show(HELP)?;
    let mut editor = DefaultEditor::new()?;
    loop {
        let line = match editor.readline("> ") {
            Ok(line) => line,
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => return Ok(ExitCode::SUCCESS),
            Err(error) => return Err(error.into()),
        };
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        // The history is a convenience; a full one is no reason to stop.
        let _ = editor.add_history_entry(line);
        interrupt.clear();
        // A mistake of the user's or a bad file does not end the conversation.
        if let Err(error) = answer(&mut session, line, params, interrupt) {
            report(error.as_ref());
        }
    }
}

fn answer<B: MpmBackend>(
    session: &mut ChatSession<'_, B>,
    line: &str,
    params: &DecodingParams,
    interrupt: &Interrupt,
) -> Result<(), BoxError> {
    match line.split_once(' ').unwrap_or((line, "")) {
        ("/image", file) if !file.trim().is_empty() => {
            Ok(session.show(&Picture::open(file.trim())?)?)
        }
        ("/image", _) => Err("name a file: /image FILE".into()),
        ("/reset", _) => {
            session.reset();
            Ok(())
        }
        ("/help", _) => Ok(show(HELP)?),
        (command, _) if command.starts_with('/') => {
            Err(format!("{command} is no command; see /help").into())
        }
        _ => {
            let mut written: io::Result<()> = Ok(());
            let answer = session.ask(line, params, |text| {
                written = show(text);
                if written.is_err() {
                    return ControlFlow::Break(());
                }
                interrupt.flow()
            })?;
            written?;
            show("\n")?;
            if answer.dropped_turns > 0 {
                show(&format!(
                    "({} of the oldest turns no longer fit. 最早的对话已被省略。)\n",
                    answer.dropped_turns
                ))?;
            }
            Ok(())
        }
    }
}
