//! A judge that is a command.

use std::{ops::ControlFlow, time::Duration};

use mpm_data::translate::CommandService;
use serde::{Deserialize, Serialize};

use super::{AnswerJudge, JudgeError};

/// How many lines that are no replies a command may write before its reply.
const STRAYS: usize = 1000;

/// A command that reads lines of JSON, `{"id": "1", "prompt": "…"}`, from its standard input, and
/// answers each by a line `{"id": "1", "reply": "…"}` or `{"id": "1", "error": "…"}`, which it
/// flushes. It stays alive between prompts; one that fails is started again for the next.
#[derive(Debug)]
pub struct CommandJudge {
    service: CommandService,
    name: String,
    asked: u64,
}

#[derive(Serialize)]
struct Request<'a> {
    id: &'a str,
    prompt: &'a str,
}

#[derive(Deserialize)]
struct Reply {
    id: String,
    reply: Option<String>,
    error: Option<String>,
}

impl CommandJudge {
    /// A command line for `sh -c`, the name under which its replies are kept, and how long a reply
    /// may take.
    pub fn new(command: impl Into<String>, name: impl Into<String>, timeout: Duration) -> Self {
        Self {
            service: CommandService::new(command, timeout),
            name: name.into(),
            asked: 0,
        }
    }
}

impl AnswerJudge for CommandJudge {
    fn name(&self) -> &str {
        &self.name
    }

    fn reply(&mut self, prompt: &str) -> Result<String, JudgeError> {
        self.asked += 1;
        let id = self.asked.to_string();
        let request = Request { id: &id, prompt };
        let mut request = serde_json::to_vec(&request).map_err(JudgeError::Write)?;
        request.push(b'\n');
        let mut result = None;
        let mut strays = 0;
        self.service.send(request, &mut |line| {
            let reply = match serde_json::from_slice::<Reply>(line) {
                // One that came too late for its own prompt, or noise.
                Ok(reply) if reply.id != id => None,
                Err(_) if line.trim_ascii().is_empty() => None,
                Ok(reply) => Some(match (reply.reply, reply.error) {
                    (Some(reply), None) => Ok(reply),
                    (None, Some(error)) => Err(JudgeError::Reported { error }),
                    _ => Err(JudgeError::layout(
                        "it needs either `reply` or `error`",
                        line,
                    )),
                }),
                Err(error) => Some(Err(JudgeError::layout(error, line))),
            };
            strays += usize::from(reply.is_none());
            result = reply;
            match result.is_some() || strays == STRAYS {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        result.unwrap_or_else(|| Err(JudgeError::layout("only other lines came", &[])))
    }
}
