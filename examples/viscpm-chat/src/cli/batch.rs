//! A file of questions, one JSON object a line.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::ExitCode,
};

use mpm_core::MpmBackend;
use mpm_data::picture::Picture;
use mpm_llm::decoding::DecodingParams;
use serde::Deserialize;
use serde_json::{Value, json};
use viscpm_chat::{Answer, ChatModel, ChatSession};

use super::{BoxError, interrupt::Interrupt, show};

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

/// Answers line by line. A bad line gives an object with `error`, and the run
/// goes on; Ctrl-C ends it after the line at hand.
pub fn run<B: MpmBackend>(
    model: &ChatModel<B>,
    file: &Path,
    params: &DecodingParams,
    interrupt: &Interrupt,
) -> Result<ExitCode, BoxError> {
    let lines = File::open(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let mut lines = BufReader::new(lines);
    let mut line = Vec::new();
    let mut code = ExitCode::SUCCESS;
    while lines.read_until(b'\n', &mut line)? > 0 {
        if line.iter().any(|byte| !byte.is_ascii_whitespace()) {
            let object = match answer(model, &line, params) {
                Ok(answer) => serde_json::to_value(answer)?,
                Err(error) => {
                    code = ExitCode::FAILURE;
                    failure(error.as_ref())
                }
            };
            show(&format!("{object}\n"))?;
        }
        line.clear();
        if interrupt.pressed() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(code)
}

fn answer<B: MpmBackend>(
    model: &ChatModel<B>,
    line: &[u8],
    params: &DecodingParams,
) -> Result<Answer, BoxError> {
    let request: Request = serde_json::from_slice(line)?;
    let mut session = ChatSession::new(model);
    session.show(&Picture::open(&request.image)?)?;
    for (question, answer) in turns(&request.context)? {
        session.remember(question, answer);
    }
    let params = params.clone();
    Ok(session.ask(&request.question, &params, |_| {
        std::ops::ControlFlow::Continue(())
    })?)
}

fn failure(error: &dyn std::error::Error) -> Value {
    let mut reasons = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        reasons.push(inner.to_string());
        cause = inner.source();
    }
    reasons.dedup();
    json!({ "error": reasons.join(": ") })
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
