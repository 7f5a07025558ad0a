//! Who sees whom, and how far apart: masks and position buckets, on the host.
//!
//! Both depend on the tokens only, not on the layer or the head, so plain loops
//! over `[batch, len_q, len_k]` compute them once and one upload shares them
//! with all layers. Source: `CPMBeeTorch.forward` and `.inference` in
//! `VisCPM/models/cpmbee.py`.

use super::{input::Token, position_bias::PositionBuckets};
use crate::{check::row_width, error::LlmError};

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
    /// Relates the `queries` of each row to its keys: the tokens before, `past`, and the queries
    /// themselves. Without any past, `past` has no rows. `segment_rel` is `[batch, relations]`.
    pub fn new(
        table: &PositionBuckets,
        past: &[Vec<Token>],
        queries: &[Vec<Token>],
        segment_rel: &[i32],
    ) -> Result<Self, LlmError> {
        let rows = queries.len();
        let width = row_width("segment_rel", segment_rel.len(), rows)?;
        let row_rel = |row: usize| &segment_rel[row * width..(row + 1) * width];
        let past = |row: usize| past.get(row).map(Vec::as_slice).unwrap_or_default();
        let len_q = queries.first().map_or(0, Vec::len);
        let len_k = past(0).len() + len_q;
        let alike = (1..rows).all(|row| {
            queries[row] == queries[0] && past(row) == past(0) && row_rel(row) == row_rel(0)
        });
        let batch = if alike { rows.min(1) } else { rows };

        let mut buckets = Vec::with_capacity(batch * len_q * len_k);
        let mut hidden = Vec::with_capacity(batch * len_q * len_k);
        for (row, queries) in queries.iter().enumerate().take(batch) {
            let relations = RowRelations {
                table,
                buckets: row_rel(row),
                start: row * width,
            };
            for (column, query) in queries.iter().enumerate() {
                for key in past(row).iter().chain(queries) {
                    let index = row * len_q + column;
                    buckets.push(relations.bias_row(index, query, key)?);
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

/// What the pairs of one row have in common.
struct RowRelations<'a> {
    table: &'a PositionBuckets,
    /// The relations between the row's segments.
    buckets: &'a [i32],
    /// Where they begin in `segment_rel`.
    start: usize,
}

impl RowRelations<'_> {
    /// The row of the bias table for one pair of tokens; `index` is the query's in `[batch, len_q]`.
    fn bias_row(&self, index: usize, query: &Token, key: &Token) -> Result<i32, LlmError> {
        let place = self.place(index, query, key)?;
        let relation = place.map_or(OTHER_SAMPLE, |place| self.buckets[place]);
        let distance = key.position.saturating_sub(query.position);
        let row = self.table.row(relation, distance);
        row.ok_or_else(|| LlmError::InputRange {
            field: "segment_rel",
            index: self.start + place.unwrap_or_default(),
            value: i64::from(relation),
            max: self.table.max_relation(),
        })
    }

    /// Where the relation of a pair's segments is, `None` for tokens of different samples.
    fn place(&self, index: usize, query: &Token, key: &Token) -> Result<Option<usize>, LlmError> {
        if query.sample != key.sample || query.span != key.span {
            return Ok(None);
        }
        let value = i64::from(query.segment) * i64::from(query.num_segments)
            + i64::from(key.segment)
            + i64::from(query.segment_rel_offset);
        match usize::try_from(value) {
            Ok(place) if place < self.buckets.len() => Ok(Some(place)),
            _ => Err(LlmError::InputRange {
                field: "segment_ids (as an index into segment_rel)",
                index,
                value,
                max: self.buckets.len().saturating_sub(1),
            }),
        }
    }
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

    /// Rows that are related to themselves.
    fn relate(rows: &[Vec<Token>], segment_rel: &[i32]) -> Result<Relations, LlmError> {
        relate_after(&[], rows, segment_rel)
    }

    fn relate_after(
        past: &[Vec<Token>],
        rows: &[Vec<Token>],
        segment_rel: &[i32],
    ) -> Result<Relations, LlmError> {
        Relations::new(&PositionBuckets::new(16, 4, 40), past, rows, segment_rel)
    }

    /// One row, related to itself, of one segment.
    fn relate_alone(row: Vec<Token>) -> Result<Relations, LlmError> {
        relate(&[row], &[0])
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
        let relations = relate(&rows, &[0, 0, 0]).expect("in range");
        assert_eq!((relations.batch, relations.buckets.len()), (1, 4));
        let relations = relate(&rows, &[0, 0, 2]).expect("in range");
        assert_eq!((relations.batch, relations.buckets.len()), (3, 12));
        let mut past = rows.clone();
        let relations = relate_after(&past, &rows, &[0, 0, 0]).expect("in range");
        assert_eq!((relations.batch, relations.len_k), (1, 4));
        past[2][0].context = false;
        let relations = relate_after(&past, &rows, &[0, 0, 0]).expect("in range");
        assert_eq!((relations.batch, relations.len_k), (3, 4));
    }

    #[test]
    fn the_past_comes_before_the_queries() {
        let (first, second) = (token(0, true), token(1, false));
        let whole = relate_alone(vec![first, second]).expect("in range");
        let step = relate_after(&[vec![first]], &[vec![second]], &[0]).expect("in range");
        assert_eq!((step.len_q, step.len_k), (1, 2));
        // The second query of the whole.
        assert_eq!(step.buckets, whole.buckets[2..]);
        assert_eq!(step.hidden, whole.hidden[2..]);
    }

    #[test]
    fn segments_and_relations_out_of_range_are_errors() {
        // The second of two rows is wrong: indices count through both.
        let row = vec![token(0, true), token(1, true)];
        let rows = [row.clone(), row.clone()];
        assert!(matches!(
            relate(&rows, &[0, 0, 0, 9]),
            Ok(Relations { batch: 2, .. })
        ));
        assert!(matches!(
            relate(&rows, &[0, 0, 9, 0]),
            Err(LlmError::InputRange {
                field: "segment_rel",
                index: 2,
                value: 9,
                max: 4,
            })
        ));
        let second_of_one = Token {
            segment: 1,
            ..token(1, true)
        };
        assert!(matches!(
            relate(&[row, vec![token(0, true), second_of_one]], &[0, 0]),
            Err(LlmError::InputRange {
                field: "segment_ids (as an index into segment_rel)",
                index: 2,
                value: 1,
                max: 0,
            })
        ));
    }

    #[test]
    fn relations_that_do_not_divide_among_the_rows_are_an_error() {
        let rows = [vec![token(0, true)], vec![token(0, true)]];
        assert!(matches!(
            relate(&rows, &[0, 0, 0]),
            Err(LlmError::InputLength {
                field: "segment_rel",
                expected: 2,
                actual: 3,
            })
        ));
    }
}
