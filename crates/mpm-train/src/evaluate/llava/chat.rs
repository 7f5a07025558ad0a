//! A judge behind an endpoint.

use std::{collections::BTreeMap, ops::ControlFlow, time::Duration};

use mpm_data::translate::HttpService;
use serde::{Deserialize, Serialize};

use super::{AnswerJudge, JudgeError};

/// The longest reply that is read, in bytes.
const REPLY_LIMIT: usize = 1 << 20;

/// How an endpoint is asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ChatOptions {
    /// How much chance is in the reply; `None` leaves the field out, since some models refuse it.
    pub temperature: Option<f64>,
    /// The longest reply, in tokens of the judge's.
    pub max_tokens: u32,
    /// Headers of each request, such as `Authorization`.
    pub headers: BTreeMap<String, String>,
    /// Seconds in which a reply has to be there.
    pub timeout_s: u32,
}

impl Default for ChatOptions {
    /// LLaVA's: temperature 0.2, 1024 tokens; no headers, two minutes.
    fn default() -> Self {
        Self {
            temperature: Some(0.2),
            max_tokens: 1024,
            headers: BTreeMap::new(),
            timeout_s: 120,
        }
    }
}

/// A model behind an HTTP endpoint for chat completions in OpenAI's layout, which many servers
/// share.
#[derive(Debug)]
pub struct ChatEndpoint {
    service: HttpService,
    model: String,
    options: ChatOptions,
}

impl ChatEndpoint {
    /// The address of the completions (it ends in `/chat/completions` as a rule; `https://` needs
    /// the feature `https`) and the model's name there.
    pub fn new(url: impl Into<String>, model: impl Into<String>, options: ChatOptions) -> Self {
        let timeout = Duration::from_secs(options.timeout_s.into());
        Self {
            service: HttpService::new(url, options.headers.clone(), timeout),
            model: model.into(),
            options,
        }
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    messages: [Message<'a>; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    max_tokens: u32,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
}

#[derive(Deserialize)]
struct Completion {
    choices: Vec<Choice>,
}

#[derive(Deserialize)]
struct Choice {
    message: Reply,
}

#[derive(Deserialize)]
struct Reply {
    content: Option<String>,
}

impl AnswerJudge for ChatEndpoint {
    fn name(&self) -> &str {
        &self.model
    }

    fn reply(&mut self, prompt: &str) -> Result<String, JudgeError> {
        let request = Request {
            model: &self.model,
            messages: [Message {
                role: "user",
                content: prompt,
            }],
            temperature: self.options.temperature,
            max_tokens: self.options.max_tokens,
        };
        let request = serde_json::to_vec(&request).map_err(JudgeError::Write)?;
        let mut body = Vec::new();
        self.service
            .post("application/json", &request, &mut |line| {
                body.extend_from_slice(line);
                match body.len() > REPLY_LIMIT {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?;
        if body.len() > REPLY_LIMIT {
            return Err(JudgeError::Long { limit: REPLY_LIMIT });
        }
        let completion: Completion =
            serde_json::from_slice(&body).map_err(|error| JudgeError::layout(error, &body))?;
        let choice = completion.choices.into_iter().next();
        let content = choice.and_then(|choice| choice.message.content);
        content.ok_or_else(|| JudgeError::layout("it has no content", &body))
    }
}
