//! What decoding needs of a language model.

use super::logits::Logits;
use crate::error::LlmError;

/// A prompt that a language model has read, and the answers it is continued by.
///
/// A session begins with one sequence. [`select_rows`](Self::select_rows)
/// splits and drops sequences; the prompt is read once, whatever their number.
/// What has a default is as a causal model has it: one answer, which goes on
/// where the prompt ends.
pub trait DecodingSession {
    /// Reads the prompt and returns the logits of the first token, `[1, width]`.
    ///
    /// # Errors
    /// Those of the model.
    fn start(&mut self) -> Result<Logits, LlmError>;

    /// Reads one more token of each sequence and returns the logits of the next,
    /// `[rows, width]`.
    ///
    /// # Errors
    /// [`LlmError::CacheFull`] when the session has no room left, and those of
    /// the model.
    fn step(&mut self, tokens: &[i32]) -> Result<Logits, LlmError>;

    /// How many more tokens of each sequence the session can read; an answer ends where there is
    /// no room.
    fn room(&self) -> usize {
        usize::MAX
    }

    /// Makes sequence `i` continue sequence `rows[i]`, for any number of rows.
    fn select_rows(&mut self, rows: &[usize]);

    /// What the model reads when a sequence continues with `token`; for most models
    /// the token itself. The repetition penalty counts these.
    fn read_as(&self, token: i32) -> i32 {
        token
    }

    /// The token that a sequence begins with before the first answer token; `None`
    /// where the logits of that one follow from the prompt.
    fn start_token(&self) -> Option<i32> {
        None
    }

    /// Whether `token` ends an answer.
    fn ends_answer(&self, token: i32) -> bool;

    /// Which of the prompt's answers `row` is at, from 0.
    fn answer(&self, _row: usize) -> usize {
        0
    }

    /// How many answers the prompt asks for.
    fn answers(&self) -> usize {
        1
    }
}
