//! What CPM-Bee reads beside the embeddings, on the host.

use crate::{
    check::{check_length, check_range},
    error::LlmError,
};

/// A batch as CPM-Bee is trained on it: ids and the structure of the prompts.
///
/// Everything is on the host, because masks and position buckets are computed
/// there. Arrays of shape `[batch, seq]` are row-major. The names are those of
/// the reference's collator.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CpmBeeInput {
    /// Rows, `batch`.
    pub batch: usize,
    /// Tokens of a row with its padding, `seq`.
    pub seq_len: usize,
    /// Token ids, `[batch, seq]`.
    pub ids: Vec<i32>,
    /// Which ext token an id stands for, 0 for plain tokens: `[batch, seq]`.
    pub sub_ids: Vec<i32>,
    /// Tokens of each row without its padding: `[batch]`.
    pub length: Vec<i32>,
    /// True for tokens that everybody may see, false for the answer's: `[batch, seq]`.
    pub context: Vec<bool>,
    /// 0 for the sample itself, n for its n-th in-context sample: `[batch, seq]`.
    pub sample_ids: Vec<i32>,
    /// Segments of the sample that the token belongs to: `[batch, seq]`.
    pub num_segments: Vec<i32>,
    /// The token's segment within its sample: `[batch, seq]`.
    pub segment_ids: Vec<i32>,
    /// Where the token's sample begins in `segment_rel`: `[batch, seq]`.
    pub segment_rel_offset: Vec<i32>,
    /// Bucket of each pair of segments, `[batch, relations]`; the samples of a
    /// row one after the other, each `num_segments²`, zero-padded.
    pub segment_rel: Vec<i32>,
    /// Which of the samples packed into a row the token belongs to: `[batch, seq]`.
    pub span: Vec<i32>,
    /// Token ids of the ext table, `[ext]`.
    pub ext_table_ids: Vec<i32>,
    /// Sub ids of the ext table, `[ext]`.
    pub ext_table_sub: Vec<i32>,
}

/// Tokens for incremental inference: the whole prompt first, then single tokens.
///
/// Rows of different lengths are padded on the left with `num_segments` 0.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CpmBeeStep {
    /// Rows, `batch`.
    pub batch: usize,
    /// New tokens of each row, `len_q`.
    pub len: usize,
    /// Position of each token; the answer's restart at 0: `[batch, len_q]`.
    pub position: Vec<i32>,
    /// True for tokens that everybody may see; while decoding, all of them:
    /// `[batch, len_q]`.
    pub context: Vec<bool>,
    /// 0 for the sample itself, n for its n-th in-context sample: `[batch, len_q]`.
    pub sample_ids: Vec<i32>,
    /// Segments of the token's sample, 0 for padding: `[batch, len_q]`.
    pub num_segments: Vec<i32>,
    /// The token's segment within its sample: `[batch, len_q]`.
    pub segment_ids: Vec<i32>,
    /// Where the token's sample begins in the relations: `[batch, len_q]`.
    pub segment_rel_offset: Vec<i32>,
}

/// What attention needs to know about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub position: i32,
    pub context: bool,
    pub sample: i32,
    pub num_segments: i32,
    pub segment: i32,
    pub segment_rel_offset: i32,
    pub span: i32,
    /// As a query it sees nothing.
    pub blind: bool,
    /// As a key it is seen by nobody.
    pub unseen: bool,
}

impl CpmBeeInput {
    /// The tokens row by row.
    pub(super) fn tokens(&self) -> Result<Vec<Vec<Token>>, LlmError> {
        let count = self.batch * self.seq_len;
        check_length("length", self.length.len(), self.batch)?;
        check_length("context", self.context.len(), count)?;
        check_length("sample_ids", self.sample_ids.len(), count)?;
        check_length("num_segments", self.num_segments.len(), count)?;
        check_length("segment_ids", self.segment_ids.len(), count)?;
        check_length("segment_rel_offset", self.segment_rel_offset.len(), count)?;
        check_length("span", self.span.len(), count)?;
        check_range("length", &self.length, self.seq_len)?;
        let rows = (0..self.batch).map(|row| {
            let length = self.length[row];
            let tokens = (0..self.seq_len).map(|column| {
                let index = row * self.seq_len + column;
                let padding = column as i64 >= i64::from(length);
                Token {
                    position: column as i32,
                    context: self.context[index],
                    sample: self.sample_ids[index],
                    num_segments: self.num_segments[index],
                    segment: self.segment_ids[index],
                    segment_rel_offset: self.segment_rel_offset[index],
                    span: self.span[index],
                    blind: padding,
                    unseen: padding,
                }
            });
            tokens.collect()
        });
        Ok(rows.collect())
    }
}

impl CpmBeeStep {
    /// The tokens row by row.
    pub(super) fn tokens(&self) -> Result<Vec<Vec<Token>>, LlmError> {
        let count = self.batch * self.len;
        check_length("position", self.position.len(), count)?;
        check_length("context", self.context.len(), count)?;
        check_length("sample_ids", self.sample_ids.len(), count)?;
        check_length("num_segments", self.num_segments.len(), count)?;
        check_length("segment_ids", self.segment_ids.len(), count)?;
        check_length("segment_rel_offset", self.segment_rel_offset.len(), count)?;
        let rows = (0..self.batch).map(|row| {
            let tokens = (row * self.len..(row + 1) * self.len).map(|index| Token {
                position: self.position[index],
                context: self.context[index],
                sample: self.sample_ids[index],
                num_segments: self.num_segments[index],
                segment: self.segment_ids[index],
                segment_rel_offset: self.segment_rel_offset[index],
                span: 0,
                // The reference lets padding look around; nobody reads the result.
                blind: false,
                unseen: self.num_segments[index] == 0,
            });
            tokens.collect()
        });
        Ok(rows.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rows of three tokens, of these lengths.
    fn input(length: [i32; 2]) -> CpmBeeInput {
        CpmBeeInput {
            batch: 2,
            seq_len: 3,
            length: length.to_vec(),
            context: vec![true; 6],
            sample_ids: vec![0; 6],
            num_segments: vec![1; 6],
            segment_ids: vec![0; 6],
            segment_rel_offset: vec![0; 6],
            span: vec![0; 6],
            ..CpmBeeInput::default()
        }
    }

    #[test]
    fn what_is_behind_the_length_is_padding() {
        let rows = input([3, 1]).tokens().expect("in range");
        let unseen: Vec<bool> = rows.concat().iter().map(|token| token.unseen).collect();
        assert_eq!(unseen, [false, false, false, false, true, true]);
    }

    #[test]
    fn lengths_that_no_row_has_are_errors() {
        for wrong in [-1, 4] {
            assert!(matches!(
                input([3, wrong]).tokens(),
                Err(LlmError::InputRange {
                    field: "length",
                    index: 1,
                    value,
                    max: 3,
                }) if value == i64::from(wrong)
            ));
        }
    }
}
