//! Logits on the host.

use std::cmp::Ordering;

use burn::tensor::{DType, Tensor, backend::Backend};

use super::params::DecodingParams;
use crate::error::LlmError;

/// Logits of the next token, a row for each sequence.
#[derive(Debug, Clone, PartialEq)]
pub struct Logits {
    /// `[rows, width]`, row-major.
    pub values: Vec<f32>,
    /// Tokens to choose from.
    pub width: usize,
}

/// One token and its score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    pub token: i32,
    pub score: f32,
}

impl Logits {
    /// Copies `[rows, 1, width]` from the device.
    pub(crate) fn on_host<B: Backend>(logits: Tensor<B, 3>) -> Self {
        let [_, _, width] = logits.dims();
        let data = logits.cast(DType::F32).into_data();
        // Without the call that the data's iterator makes for each value.
        let values = data.to_vec().unwrap_or_else(|_| data.iter().collect());
        Self { values, width }
    }

    /// Applies repetition penalty and temperature and normalises: log
    /// probabilities in place of logits. `history` has the tokens of each row's
    /// answer so far.
    ///
    /// [`LlmError::NotANumber`] for rows that no probabilities follow from.
    ///
    /// Source: `apply_repetition_penalty` in
    /// `VisCPM/generation/generation_utils.py`, after the CTRL paper,
    /// arXiv:1909.05858.
    pub(super) fn into_log_probs(
        mut self,
        params: &DecodingParams,
        temperature: f64,
        history: &[Vec<i32>],
        step: usize,
    ) -> Result<Self, LlmError> {
        let temperature = temperature as f32;
        for (row, history) in self.values.chunks_exact_mut(self.width).zip(history) {
            penalise(row, history, params);
            let max = largest(row).ok_or(LlmError::NotANumber { step })?;
            for logit in row.iter_mut() {
                // In this order, small temperatures overflow to probabilities of 0 only.
                *logit = (*logit - max) / temperature;
            }
            // f64, because the sum has a term for each of 86,583 tokens.
            let sum: f64 = row.iter().map(|logit| f64::from(logit.exp())).sum();
            let log_sum = sum.ln() as f32;
            for logit in row.iter_mut() {
                *logit -= log_sum;
            }
        }
        Ok(self)
    }

    /// The rows.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[f32]> {
        self.values.chunks_exact(self.width)
    }
}

/// The largest logit; `None` where one is NaN, or the largest is no finite number.
fn largest(row: &[f32]) -> Option<f32> {
    let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let broken = row.iter().any(|logit| logit.is_nan());
    (max.is_finite() && !broken).then_some(max)
}

fn penalise(row: &mut [f32], history: &[i32], params: &DecodingParams) {
    if params.repetition_penalty == 1.0 {
        return;
    }
    let penalty = params.repetition_penalty as f32;
    let window = params.repetition_window.unwrap_or(history.len());
    let mut repeated = history[history.len().saturating_sub(window)..].to_vec();
    repeated.sort_unstable();
    repeated.dedup();
    for token in repeated {
        if let Some(logit) = row.get_mut(token as usize) {
            if *logit < 0.0 {
                *logit *= penalty;
            } else {
                *logit /= penalty;
            }
        }
    }
}

/// The `count` highest scores of a row, best first; the smaller token first
/// where they are equal.
pub(super) fn best(row: &[f32], count: usize) -> Vec<Scored> {
    let mut best: Vec<Scored> = Vec::with_capacity(count + 1);
    for (token, &score) in row.iter().enumerate() {
        if best.len() == count && best.last().is_some_and(|last| score <= last.score) {
            continue;
        }
        let place = best.partition_point(|other| other.score >= score);
        best.insert(
            place,
            Scored {
                token: token as i32,
                score,
            },
        );
        best.truncate(count);
    }
    best
}

/// Best first, the smaller token first where scores are equal.
pub(super) fn by_score(left: &Scored, right: &Scored) -> Ordering {
    right
        .score
        .total_cmp(&left.score)
        .then(left.token.cmp(&right.token))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_probs(values: &[f32], history: &[i32], params: &DecodingParams) -> Vec<f32> {
        let logits = Logits {
            values: values.to_vec(),
            width: values.len(),
        };
        let history = [history.to_vec()];
        let result = logits.into_log_probs(params, params.temperature, &history, 0);
        result.expect("no NaN").values
    }

    #[test]
    fn the_penalty_makes_every_repeated_token_less_likely_once() {
        let params = DecodingParams {
            repetition_penalty: 2.0,
            temperature: 1.0,
            ..DecodingParams::default()
        };
        // 2 -> 1 and -1 -> -2, although both come twice.
        let actual = log_probs(&[2.0, -1.0, 0.5], &[0, 1, 1, 0], &params);
        let expected = log_probs(&[1.0, -2.0, 0.5], &[], &params);
        assert_eq!(actual, expected);
    }

    #[test]
    fn the_window_forgets() {
        let params = DecodingParams {
            repetition_penalty: 2.0,
            repetition_window: Some(1),
            ..DecodingParams::default()
        };
        let actual = log_probs(&[2.0, -1.0, 0.5], &[0, 1], &params);
        assert_eq!(actual, log_probs(&[2.0, -2.0, 0.5], &[], &params));
    }

    #[test]
    fn logits_without_probabilities_are_an_error() {
        for broken in [
            [0.0, f32::NAN],
            [f32::NAN, 0.0],
            [0.0, f32::INFINITY],
            [f32::NEG_INFINITY; 2],
        ] {
            let logits = Logits {
                values: [[0.0, 1.0], broken].concat(),
                width: 2,
            };
            let history = [vec![], vec![]];
            let error = logits.into_log_probs(&DecodingParams::default(), 1.0, &history, 4);
            assert!(
                matches!(error, Err(LlmError::NotANumber { step: 4 })),
                "{broken:?}"
            );
        }
    }

    #[test]
    fn a_token_may_be_impossible() {
        let params = DecodingParams {
            temperature: 1.0,
            ..DecodingParams::default()
        };
        let actual = log_probs(&[3.0, f32::NEG_INFINITY], &[], &params);
        assert_eq!(actual, [0.0, f32::NEG_INFINITY]);
    }

    #[test]
    fn the_smallest_temperature_leaves_the_likeliest_token() {
        let params = DecodingParams {
            temperature: f64::from(f32::MIN_POSITIVE),
            ..DecodingParams::default()
        };
        params.validate().expect("is allowed");
        let actual = log_probs(&[50.0, 60.0, -60.0], &[], &params);
        assert_eq!(actual, [f32::NEG_INFINITY, 0.0, f32::NEG_INFINITY]);
    }

    #[test]
    fn best_are_sorted_and_ties_keep_their_order() {
        let tokens: Vec<i32> = best(&[1.0, 3.0, 2.0, 3.0, 0.0], 3)
            .iter()
            .map(|scored| scored.token)
            .collect();
        assert_eq!(tokens, [1, 3, 2]);
        assert_eq!(best(&[1.0], 3).len(), 1);
    }
}
