//! An answer as a JSON object that says how long it took.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use viscpm_chat::Answer;

/// Measures from its beginning.
pub struct Stopwatch {
    started: Instant,
    first_text: Option<Duration>,
}

impl Stopwatch {
    pub fn start() -> Self {
        Self {
            started: Instant::now(),
            first_text: None,
        }
    }

    /// Notes when the answer has its first text.
    pub fn hear(&mut self, text: &str) {
        if !text.is_empty() {
            self.first_text
                .get_or_insert_with(|| self.started.elapsed());
        }
    }

    /// The finished answer, with `seconds` and `seconds_to_first_text`.
    pub fn object(self, answer: &Answer) -> Result<Value, serde_json::Error> {
        let mut object = serde_json::to_value(answer)?;
        object["seconds"] = json!(self.started.elapsed().as_secs_f64());
        let first_text = self.first_text.map(|time| time.as_secs_f64());
        object["seconds_to_first_text"] = json!(first_text);
        Ok(object)
    }
}
