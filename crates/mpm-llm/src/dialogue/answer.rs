//! What a question led to.

use crate::decoding::Generation;

/// What a turn gave, and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatAnswer {
    /// The answer.
    pub generation: Generation,
    /// Tokens of the whole conversation up to the answer, a picture's included.
    pub prompt_tokens: usize,
    /// How many of them the model had to read for this turn.
    pub tokens_read: usize,
    /// How many turns, the oldest ones, did not fit into the prompt.
    pub dropped_turns: usize,
}

impl ChatAnswer {
    /// The text of the answer.
    pub fn text(&self) -> &str {
        self.generation.texts.first().map_or("", String::as_str)
    }
}
