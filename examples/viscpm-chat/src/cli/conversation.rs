//! A conversation, line by line.

use std::{io, ops::ControlFlow, process::ExitCode};

use mpm_core::MpmBackend;
use mpm_data::picture::Picture;
use mpm_llm::decoding::DecodingParams;
use viscpm_chat::ChatSession;
use viscpm_common::cli::{
    BoxError, Interrupt,
    failure::{is_closed_pipe, report},
    note, show,
};

use super::input::Input;

const HELP: &str = "\
Ask about the picture. 请就图片提问。
  /image FILE   show another picture  换一张图片
  /reset        forget the turns      忘掉之前的对话
  /help         this text             显示帮助
Ctrl-C stops an answer, Ctrl-D ends. Ctrl-C 停止回答，Ctrl-D 退出。
";

/// Answers until the input ends. Answers go to standard output, all else goes
/// to standard error.
pub fn run<B: MpmBackend>(
    mut session: ChatSession<'_, B>,
    picture: Option<Picture>,
    params: &DecodingParams,
) -> Result<ExitCode, BoxError> {
    if let Some(picture) = picture {
        session.show(&picture)?;
    }
    let mut input = Input::open()?;
    // After the line editor, which takes Ctrl-C for itself when it begins.
    let interrupt = Interrupt::install()?;
    if input.is_terminal() {
        note(HELP);
    }
    while let Some(line) = input.line()? {
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        interrupt.clear();
        match follow(&mut session, line, params, &interrupt) {
            Err(error) if is_closed_pipe(error.as_ref()) => return Err(error),
            // A mistake of the user's or a bad file does not end the conversation.
            Err(error) => report(error.as_ref()),
            Ok(()) => {}
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Obeys a command or answers a question.
fn follow<B: MpmBackend>(
    session: &mut ChatSession<'_, B>,
    line: &str,
    params: &DecodingParams,
    interrupt: &Interrupt,
) -> Result<(), BoxError> {
    let (command, file) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    match command {
        "/image" => match file_name(file) {
            "" => return Err("name a file: /image FILE".into()),
            file => session.show(&Picture::open(file)?)?,
        },
        "/reset" => session.reset(),
        "/help" => note(HELP),
        _ if command.starts_with('/') => {
            return Err(format!("{command} is no command; see /help").into());
        }
        _ => answer(session, line, params, interrupt)?,
    }
    Ok(())
}

/// The name of a file, without the quotes that a file manager puts around it
/// when it is dropped onto the terminal.
fn file_name(text: &str) -> &str {
    let text = text.trim();
    ['\'', '"']
        .iter()
        .find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(text)
}

fn answer<B: MpmBackend>(
    session: &mut ChatSession<'_, B>,
    question: &str,
    params: &DecodingParams,
    interrupt: &Interrupt,
) -> Result<(), BoxError> {
    let mut written: io::Result<()> = Ok(());
    let answer = session.ask(question, params, |text| {
        written = show(text);
        if written.is_err() {
            return ControlFlow::Break(());
        }
        interrupt.flow()
    })?;
    written?;
    show("\n")?;
    if answer.dropped_turns > 0 {
        note(&format!(
            "({} of the oldest turns no longer fit. 最早的对话已被省略。)\n",
            answer.dropped_turns
        ));
    }
    Ok(())
}
