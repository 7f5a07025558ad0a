//! What a model reads beside its embeddings.

use std::ops::Range;

use crate::{
    cache::MAX_CAPACITY,
    check::{check_length, check_range},
    error::LlmError,
};

/// The tokens of a batch: those of a whole text, or those that a text goes on with.
///
/// A token sees itself and the tokens before it in its row. Rows of different lengths are padded
/// on the left or on the right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LlamaInput {
    /// Rows, `batch`.
    pub batch: usize,
    /// Tokens of a row with its padding, `seq`.
    pub seq_len: usize,
    /// Position of each token, from 0; that of padding counts for nothing: `[batch, seq]`.
    pub positions: Vec<i32>,
    /// False for padding, which nobody sees: `[batch, seq]`.
    pub seen: Vec<bool>,
    /// Tokens of the longest row's whole text, where these are a part of it and more follows that
    /// is known already; `None` where the text ends with them. Rotary positions of the kinds
    /// `dynamic` and `longrope` depend on it.
    pub text_len: Option<usize>,
}

impl LlamaInput {
    /// Rows without padding that all have these positions.
    pub fn unpadded(batch: usize, positions: Range<usize>) -> Self {
        let seq_len = positions.len();
        let row: Vec<i32> = positions.map(|position| position as i32).collect();
        Self {
            batch,
            seq_len,
            positions: row.repeat(batch),
            seen: vec![true; batch * seq_len],
            text_len: None,
        }
    }

    /// Whole rows with padding: positions count the tokens that are none.
    ///
    /// # Shapes
    /// - seen: `[batch, seq]`, false for padding
    ///
    /// # Errors
    /// [`LlmError::InputLength`] when the rows differ in length.
    pub fn padded(seen: &[Vec<bool>]) -> Result<Self, LlmError> {
        let seq_len = seen.first().map_or(0, Vec::len);
        for row in seen {
            check_length("seen", row.len(), seq_len)?;
        }
        let positions = seen.iter().flat_map(|row| {
            row.iter().scan(-1, |position, &seen| {
                *position += i32::from(seen);
                // On the left, no token has come yet.
                Some((*position).max(0))
            })
        });
        Ok(Self {
            batch: seen.len(),
            seq_len,
            positions: positions.collect(),
            seen: seen.concat(),
            text_len: None,
        })
    }

    /// Tokens of the longest row's whole text, as far as it is known; padding has no part in it.
    pub(super) fn text_len(&self) -> usize {
        let positions = self.positions.iter().zip(&self.seen);
        let last = positions
            .filter(|(_, seen)| **seen)
            .map(|(at, _)| *at)
            .max();
        let so_far = last.map_or(0, |last| last as usize + 1);
        self.text_len.map_or(so_far, |len| len.max(so_far))
    }

    /// Whether every row has the positions of the first.
    pub(super) fn rows_are_alike(&self) -> bool {
        let first = &self.positions[..self.seq_len];
        let mut rows = self.positions.chunks_exact(self.seq_len.max(1));
        rows.all(|row| row == first)
    }

    /// Whether the arrays fit embeddings of this shape.
    pub(super) fn check(&self, [batch, seq_len]: [usize; 2]) -> Result<(), LlmError> {
        if batch == 0 || seq_len == 0 {
            return Err(LlmError::EmptyBatch);
        }
        check_length("embeddings (rows)", batch, self.batch)?;
        check_length("embeddings (tokens)", seq_len, self.seq_len)?;
        check_length("positions", self.positions.len(), batch * seq_len)?;
        check_length("seen", self.seen.len(), batch * seq_len)?;
        check_range("positions", &self.positions, MAX_CAPACITY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_what_is_no_padding() {
        let rows = [vec![false, true, true], vec![true, true, false]];
        let input = LlamaInput::padded(&rows).expect("equal lengths");
        assert_eq!(input.positions, [0, 0, 1, 0, 1, 1]);
        assert!(!input.rows_are_alike());
        assert!(LlamaInput::unpadded(2, 3..5).rows_are_alike());
        assert!(matches!(
            LlamaInput::padded(&[vec![true], vec![]]),
            Err(LlmError::InputLength { .. })
        ));
    }

    #[test]
    fn a_text_is_as_long_as_its_last_token_or_what_is_known_to_follow() {
        let mut input = LlamaInput::unpadded(1, 3..6);
        assert_eq!(input.text_len(), 6);
        input.seen[2] = false;
        assert_eq!(input.text_len(), 5);
        input.text_len = Some(4);
        assert_eq!(input.text_len(), 5);
        input.text_len = Some(9);
        assert_eq!(input.text_len(), 9);
    }

    #[test]
    fn arrays_that_do_not_fit_are_errors() {
        let input = LlamaInput::unpadded(2, 0..3);
        assert!(input.check([2, 3]).is_ok());
        assert!(matches!(
            input.check([2, 4]),
            Err(LlmError::InputLength { .. })
        ));
        assert!(matches!(
            LlamaInput::default().check([0, 0]),
            Err(LlmError::EmptyBatch)
        ));
        let negative = LlamaInput {
            positions: vec![0, 1, 2, 0, -1, 2],
            ..input
        };
        assert!(matches!(
            negative.check([2, 3]),
            Err(LlmError::InputRange { index: 4, .. })
        ));
    }
}
