//! Who sees whom, and how far apart: masks and position buckets, on the host.
//!
//! Both depend on the tokens only, not on the layer or the head, so plain loops
//! over `[batch, len_q, len_k]` compute them once and one upload shares them
//! with all layers. Source: `CPMBeeTorch.forward` and `.inference` in
//! `VisCPM/models/cpmbee.py`.

use super::{input::Token, position_bias::PositionBuckets};
use crate::error::LlmError;

/// The segment relation that stands for "another sample".
const OTHER_SAMPLE: i32 = 1;

/// Rows of the table of position biases, and the mask, for all pairs of tokens.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Relations {
    /// 1 where all rows of the batch are alike, as the beams of one prompt are.
    pub batch: usize,
    pub len_q: usize,
    pub len_k: usize,
    /// Row of the bias table, `[batch, len_q, len_k]`.
    pub buckets: Vec<i32>,
    /// True where the query must not see the key, `[batch, len_q, len_k]`.
    pub hidden: Vec<bool>,
}

impl Relations {
    /// Relates the `queries` of each row to its `keys`. `segment_rel` is
    /// `[batch, relations]`.
    pub fn new(
        table: &PositionBuckets,
        queries: &[Vec<Token>],
        keys: &[Vec<Token>],
        segment_rel: &[i32],
    ) -> Result<Self, LlmError> {
        let rows = queries.len();
        let width = segment_rel.len() / rows.max(1);
        let (len_q, len_k) = (
            queries.first().map_or(0, Vec::len),
            keys.first().map_or(0, Vec::len),
        );
        let row_rel = |row: usize| &segment_rel[row * width..(row + 1) * width];
        let alike = (1..rows).all(|row| {
            queries[row] == queries[0] && keys[row] == keys[0] && row_rel(row) == row_rel(0)
        });
        let batch = if alike { rows.min(1) } else { rows };

        let mut buckets = Vec::with_capacity(batch * len_q * len_k);
        let mut hidden = Vec::with_capacity(batch * len_q * len_k);
        for row in 0..batch {
            let rel = row_rel(row);
            for query in &queries[row] {
                for key in &keys[row] {
                    buckets.push(bias_row(table, query, key, rel)?);
                    hidden.push(!sees(query, key));
                }
            }
        }
        Ok(Self {
            batch,
            len_q,
            len_k,
            buckets,
            hidden,
        })
    }
}

/// The row of the bias table for one pair of tokens.
fn bias_row(
    table: &PositionBuckets,
    query: &Token,
    key: &Token,
    rel: &[i32],
) -> Result<i32, LlmError> {
    let relation = if query.sample == key.sample && query.span == key.span {
        let index = i64::from(query.segment) * i64::from(query.num_segments)
            + i64::from(key.segment)
            + i64::from(query.segment_rel_offset);
        let relation = usize::try_from(index)
            .ok()
            .and_then(|index| rel.get(index).copied());
        relation.ok_or(LlmError::InputRange {
            field: "segment_ids (as an index into segment_rel)",
            index: query.position.unsigned_abs() as usize,
            value: index,
            max: rel.len().saturating_sub(1),
        })?
    } else {
        OTHER_SAMPLE
    };
    let distance = key.position.saturating_sub(query.position);
    table.row(relation, distance).ok_or(LlmError::InputRange {
        field: "segment_rel",
        index: query.position.unsigned_abs() as usize,
        value: i64::from(relation),
        max: table.max_relation(),
    })
}

/// Everybody sees the context, an answer sees what came before it; the sample
/// itself (0) sees all samples, in-context samples only themselves.
fn sees(query: &Token, key: &Token) -> bool {
    (key.context || (!query.context && key.position <= query.position))
        && (query.sample == 0 || query.sample == key.sample)
        && query.span == key.span
        && !key.unseen
        && !query.blind
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(position: i32, context: bool) -> Token {
        Token {
            position,
            context,
            sample: 0,
            num_segments: 1,
            segment: 0,
            segment_rel_offset: 0,
            span: 0,
            blind: false,
            unseen: false,
        }
    }

    fn relate(
        queries: &[Vec<Token>],
        keys: &[Vec<Token>],
        segment_rel: &[i32],
    ) -> Result<Relations, LlmError> {
        Relations::new(&PositionBuckets::new(16, 4, 40), queries, keys, segment_rel)
    }

    /// One row, related to itself, of one segment.
    fn relate_alone(row: Vec<Token>) -> Result<Relations, LlmError> {
        let rows = [row];
        relate(&rows, &rows, &[0])
    }

    #[test]
    fn an_answer_is_causal_and_its_context_is_not() {
        let row = vec![
            token(0, true),
            token(1, true),
            token(2, false),
            token(3, false),
        ];
        let relations = relate_alone(row).expect("in range");
        let seen: Vec<bool> = relations.hidden.iter().map(|hidden| !hidden).collect();
        #[rustfmt::skip]
        assert_eq!(seen, [
            true, true, false, false,
            true, true, false, false,
            true, true, true, false,
            true, true, true, true,
        ]);
    }

    #[test]
    fn equal_rows_are_computed_once() {
        let row = vec![token(0, true), token(1, true)];
        let rows = vec![row; 3];
        let relations = relate(&rows, &rows, &[0, 0, 0]).expect("in range");
        assert_eq!((relations.batch, relations.buckets.len()), (1, 4));
        let relations = relate(&rows, &rows, &[0, 0, 2]).expect("in range");
        assert_eq!((relations.batch, relations.buckets.len()), (3, 12));
    }

    #[test]
    fn segments_and_relations_out_of_range_are_errors() {
        let rows = [vec![token(0, true)]];
        assert!(matches!(
            relate(&rows, &rows, &[9]),
            Err(LlmError::InputRange {
                field: "segment_rel",
                value: 9,
                max: 4,
                ..
            })
        ));
        let second_of_one = Token {
            segment: 1,
            ..token(0, true)
        };
        assert!(matches!(
            relate_alone(vec![second_of_one]),
            Err(LlmError::InputRange {
                value: 2,
                max: 0,
                ..
            })
        ));
    }
}
