//! What BERT reads, on the host.

use crate::{
    LlmError,
    check::{check_length, check_range},
};

/// A batch of texts as ids; arrays are row-major.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BertInput {
    /// Texts, `batch`.
    pub batch: usize,
    /// Tokens of a text with its padding, `seq`.
    pub seq_len: usize,
    /// Token ids, `[batch, seq]`.
    pub ids: Vec<i32>,
    /// The part of the text that a token belongs to, `[batch, seq]`: 0 throughout for one text,
    /// 1 for the second of a pair.
    pub token_type_ids: Vec<i32>,
    /// False for padding (`attention_mask`), `[batch, seq]`.
    pub seen: Vec<bool>,
}

impl BertInput {
    /// Texts of one part, of which the shorter ones are padded with `padding` at their ends.
    pub fn pad(texts: &[Vec<i32>], padding: i32) -> Self {
        let seq_len = texts.iter().map(Vec::len).max().unwrap_or(0);
        let mut ids = Vec::with_capacity(texts.len() * seq_len);
        let mut seen = Vec::with_capacity(texts.len() * seq_len);
        for text in texts {
            let end = ids.len() + seq_len;
            ids.extend(text);
            seen.resize(ids.len(), true);
            ids.resize(end, padding);
            seen.resize(end, false);
        }
        Self {
            batch: texts.len(),
            seq_len,
            token_type_ids: vec![0; ids.len()],
            ids,
            seen,
        }
    }

    /// Checks the lengths of the arrays and the range of what they hold.
    pub(super) fn check(
        &self,
        vocabulary: usize,
        positions: usize,
        types: usize,
    ) -> Result<(), LlmError> {
        if self.batch == 0 || self.seq_len == 0 {
            return Err(LlmError::EmptyBatch);
        }
        if self.seq_len > positions {
            return Err(LlmError::TextTooLong {
                tokens: self.seq_len,
                limit: positions,
            });
        }
        let count = self.batch * self.seq_len;
        check_length("ids", self.ids.len(), count)?;
        check_length("token_type_ids", self.token_type_ids.len(), count)?;
        check_length("seen", self.seen.len(), count)?;
        check_range("ids", &self.ids, vocabulary - 1)?;
        check_range("token_type_ids", &self.token_type_ids, types - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorter_texts_are_padded_at_their_ends() {
        let input = BertInput::pad(&[vec![2, 5, 3], vec![2, 3]], 0);
        assert_eq!((input.batch, input.seq_len), (2, 3));
        assert_eq!(input.ids, [2, 5, 3, 2, 3, 0]);
        assert_eq!(input.seen, [true, true, true, true, true, false]);
        assert_eq!(input.token_type_ids, [0; 6]);
    }

    #[test]
    fn what_the_model_cannot_read_is_refused() {
        let good = BertInput::pad(&[vec![2, 5, 3]], 0);
        assert!(good.check(6, 3, 2).is_ok());
        let text = |result: Result<(), LlmError>| result.expect_err("refused").to_string();
        assert!(text(good.check(5, 3, 2)).contains("`ids` holds 5 at index 1"));
        assert!(text(good.check(6, 2, 2)).contains("3 tokens"));
        let short = BertInput {
            seen: vec![true],
            ..good.clone()
        };
        assert!(text(short.check(6, 3, 2)).contains("`seen` has 1"));
        let types = BertInput {
            token_type_ids: vec![0, 0, 2],
            ..good
        };
        assert!(text(types.check(6, 3, 2)).contains("`token_type_ids` holds 2"));
        assert!(matches!(
            BertInput::pad(&[], 0).check(6, 3, 2),
            Err(LlmError::EmptyBatch)
        ));
    }
}
