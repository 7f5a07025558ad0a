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
    /// The most tokens, those around the text included.
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
        let room = self.max_tokens - FRAME;
        let mut tokens_cut = Vec::with_capacity(texts.len());
        let mut rows = Vec::with_capacity(texts.len());
        for &text in texts {
            let encoding = self
                .tokenizer
                .encode_fast(text, false)
                .map_err(|source| LlmError::Tokenization { source })?;
            let ids = encoding.get_ids();
            tokens_cut.push(ids.len().saturating_sub(room));
            let mut row = vec![self.start];
            row.extend(ids.iter().take(room).map(|&id| id as i32));
            row.push(self.end);
            rows.push(row);
        }
        Ok(FramedTexts { rows, tokens_cut })
    }
}
