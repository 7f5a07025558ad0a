//! A file of questions, one JSON object a line.

use std::{ops::ControlFlow, path::PathBuf, process::ExitCode};

use mpm_core::MpmBackend;
use mpm_data::picture::Picture;
use mpm_llm::decoding::DecodingParams;
use serde::Deserialize;
use serde_json::json;
use viscpm_chat::{Answer, ChatError, ChatSession};
use viscpm_common::cli::{
    BoxError, Interrupt,
    failure::INTERRUPTED,
    lines::{Lines, parse},
    show,
};

use super::{refusal::object, timed::Stopwatch};

/// One line of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    image: PathBuf,
    question: String,
    /// Earlier turns, `User: …\nAI: …\n`, plain text.
    #[serde(default)]
    context: String,
}

/// The questions, and how the answers are to look.
pub struct Batch {
    /// One JSON object a line.
    pub requests: Lines,
    /// Whether each answer says how long it took.
    pub timings: bool,
}

/// Answers line by line, each picture in a conversation that `begin` begins. A bad line gives an
/// object with `error`, and the run goes on; Ctrl-C ends it.
pub fn run<'m, B: MpmBackend>(
    begin: impl Fn() -> Result<ChatSession<'m, B>, ChatError>,
    mut batch: Batch,
    params: &DecodingParams,
) -> Result<ExitCode, BoxError> {
    let interrupt = Interrupt::install()?;
    let mut code = ExitCode::SUCCESS;
    let mut shown = None;
    while let Some((number, line)) = batch.requests.next_line()? {
        let mut stopwatch = Stopwatch::start();
        let hear = |text: &str| {
            stopwatch.hear(text);
            interrupt.flow()
        };
        let answer = answer(&begin, line, params, hear, &mut shown);
        if interrupt.pressed() {
            return Ok(ExitCode::from(INTERRUPTED));
        }
        let object = match answer {
            Ok(answer) if batch.timings => stopwatch.object(&answer)?,
            Ok(answer) => serde_json::to_value(answer)?,
            Err(error) => {
                code = ExitCode::FAILURE;
                let mut object = object(error.as_ref());
                object["line"] = json!(number);
                object
            }
        };
        show(&format!("{object}\n"))?;
    }
    Ok(code)
}

/// Answers one line. Lines about one picture often come together: `shown` keeps the
/// last one, so that it is read and encoded once.
fn answer<'m, B: MpmBackend>(
    begin: &impl Fn() -> Result<ChatSession<'m, B>, ChatError>,
    line: &[u8],
    params: &DecodingParams,
    hear: impl FnMut(&str) -> ControlFlow<()>,
    shown: &mut Option<(PathBuf, ChatSession<'m, B>)>,
) -> Result<Answer, BoxError> {
    let request: Request = parse(line)?;
    let (image, mut session) = match shown.take() {
        Some((image, mut session)) if image == request.image => {
            session.reset();
            (image, session)
        }
        _ => {
            let mut session = begin()?;
            session.show(&Picture::open(&request.image)?)?;
            (request.image, session)
        }
    };
    for (question, answer) in turns(&request.context)? {
        session.remember(question, answer);
    }
    let answer = session.ask(&request.question, params, hear)?;
    *shown = Some((image, session));
    Ok(answer)
}

/// Splits the reference's context into turns.
fn turns(context: &str) -> Result<Vec<(&str, &str)>, BoxError> {
    let malformed = || "context must be turns of the form \"User: …\\nAI: …\\n\"";
    let mut rest = context;
    let mut turns = Vec::new();
    while !rest.is_empty() {
        let turn = rest.strip_prefix("User: ").ok_or_else(malformed)?;
        let (question, after) = turn.split_once("\nAI: ").ok_or_else(malformed)?;
        let end = after.find("\nUser: ").map_or(after.len(), |end| end + 1);
        let answer = &after[..end];
        turns.push((question, answer.strip_suffix('\n').unwrap_or(answer)));
        rest = &after[end..];
    }
    Ok(turns)
}

#[cfg(test)]
mod tests {
    use super::turns;

    #[test]
    fn contexts_are_split_into_turns() {
        let context = "User: hi\nthere\nAI: yes\nor no\nUser: 好\nAI: 好的\n";
        let expected = [("hi\nthere", "yes\nor no"), ("好", "好的")];
        assert_eq!(turns(context).expect("valid"), expected);
        assert_eq!(turns("").expect("valid"), []);
        assert!(turns("hello").is_err());
        assert!(turns("User: hello").is_err());
    }
}
