//! What the text encoder reads, on the host.

use crate::{
    LlmError,
    check::{check_length, check_range},
};

/// A batch of texts as ids; arrays are row-major.
///
/// There is no mask of padding: a token sees those before it only, and padding comes after the end
/// of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClipTextInput {
    /// Texts, `batch`.
    pub batch: usize,
    /// Tokens of a text with its padding, `seq`.
    pub seq_len: usize,
    /// Token ids, `[batch, seq]`.
    pub ids: Vec<i32>,
}

impl ClipTextInput {
    /// Texts of which the shorter ones are padded with `padding` at their ends.
    pub fn pad(texts: &[Vec<i32>], padding: i32) -> Self {
        let seq_len = texts.iter().map(Vec::len).max().unwrap_or(0);
        let mut ids = Vec::with_capacity(texts.len() * seq_len);
        for text in texts {
            let end = ids.len() + seq_len;
            ids.extend(text);
            ids.resize(end, padding);
        }
        Self {
            batch: texts.len(),
            seq_len,
            ids,
        }
    }

    /// Whether there are texts, and as many ids as they have tokens.
    pub(super) fn check_lengths(&self) -> Result<(), LlmError> {
        if self.batch == 0 || self.seq_len == 0 {
            return Err(LlmError::EmptyBatch);
        }
        check_length("ids", self.ids.len(), self.batch * self.seq_len)
    }

    /// Checks the lengths of the arrays and the range of what they hold.
    pub(super) fn check(&self, vocabulary: usize, positions: usize) -> Result<(), LlmError> {
        self.check_lengths()?;
        if self.seq_len > positions {
            return Err(LlmError::TextTooLong {
                tokens: self.seq_len,
                limit: positions,
            });
        }
        check_range("ids", &self.ids, vocabulary.saturating_sub(1))
    }
}
