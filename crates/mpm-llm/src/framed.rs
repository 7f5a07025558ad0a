//! Texts with a token before and a token after each, as models of BERT's and CLIP's kind read them.

use tokenizers::Tokenizer;

use crate::LlmError;

/// Tokens that stand around every text.
const FRAME: usize = 2;

/// A tokenizer of such texts.
#[derive(Clone, Debug)]
pub(crate) struct FramedTokenizer {
    /// It adds no special tokens by itself.
    pub tokenizer: Tokenizer,
    /// Before every text.
    pub start: i32,
    /// After every text.
    pub end: i32,
    /// Fills up shorter texts.
    pub pad: i32,
    /// The most tokens, those around the text included; at least 3.
    pub max_tokens: usize,
}

/// Texts as ids of different lengths.
pub(crate) struct FramedTexts {
    pub rows: Vec<Vec<i32>>,
    /// How many tokens at the end of each text are not in it.
    pub tokens_cut: Vec<usize>,
}

impl FramedTokenizer {
    /// Texts that are too long lose their ends, not what stands around them.
    pub fn encode(&self, texts: &[&str]) -> Result<FramedTexts, LlmError> {
        let room = self.room();
        let mut tokens_cut = Vec::with_capacity(texts.len());
        let mut rows = Vec::with_capacity(texts.len());
        for &text in texts {
            let ids = self.ids(text)?;
            tokens_cut.push(ids.len().saturating_sub(room));
            rows.push(self.framed(&ids[..ids.len().min(room)]));
        }
        Ok(FramedTexts { rows, tokens_cut })
    }

    /// All of a text, in one window if it fits, else in several that share `overlap` tokens with
    /// the next, but half of their tokens at most.
    pub fn windows(&self, text: &str, overlap: usize) -> Result<Vec<Vec<i32>>, LlmError> {
        let (ids, room) = (self.ids(text)?, self.room());
        let windows = window_starts(ids.len(), room, overlap)
            .map(|start| self.framed(&ids[start..ids.len().min(start + room)]));
        Ok(windows.collect())
    }

    /// The most tokens of a text itself.
    fn room(&self) -> usize {
        self.max_tokens - FRAME
    }

    fn ids(&self, text: &str) -> Result<Vec<i32>, LlmError> {
        let encoding = self
            .tokenizer
            .encode_fast(text, false)
            .map_err(|source| LlmError::Tokenization { source })?;
        Ok(encoding.get_ids().iter().map(|&id| id as i32).collect())
    }

    fn framed(&self, ids: &[i32]) -> Vec<i32> {
        let mut row = Vec::with_capacity(ids.len() + FRAME);
        row.push(self.start);
        row.extend(ids);
        row.push(self.end);
        row
    }
}

/// Where windows of `room` tokens begin that read all of `len` tokens. The last one ends where the
/// tokens do, so that it is no shorter than the others.
fn window_starts(len: usize, room: usize, overlap: usize) -> impl Iterator<Item = usize> {
    let last = len.saturating_sub(room);
    let step = room - overlap.min(room / 2);
    (0..last).step_by(step).chain([last])
}

/// Whether a model has all tokens of a tokenizer's vocabulary.
pub(crate) fn check_vocabulary(tokenizer: &Tokenizer, vocab_size: usize) -> Result<(), LlmError> {
    let largest = tokenizer.get_vocab(true).into_values().max().unwrap_or(0);
    match (largest as usize) < vocab_size {
        true => Ok(()),
        false => Err(LlmError::TokenizerVocabulary {
            largest,
            vocab_size,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::window_starts;

    fn starts(len: usize, room: usize, overlap: usize) -> Vec<usize> {
        window_starts(len, room, overlap).collect()
    }

    #[test]
    fn what_fits_has_one_window() {
        assert_eq!(starts(0, 22, 5), [0]);
        assert_eq!(starts(22, 22, 5), [0]);
    }

    #[test]
    fn windows_overlap_and_reach_the_end() {
        assert_eq!(starts(23, 22, 5), [0, 1]);
        assert_eq!(starts(39, 22, 5), [0, 17]);
        assert_eq!(starts(40, 22, 5), [0, 17, 18]);
        // Half a window at most, and never so much that there is no progress.
        assert_eq!(starts(40, 22, 100), [0, 11, 18]);
        assert_eq!(starts(3, 1, 100), [0, 1, 2]);
    }
}
