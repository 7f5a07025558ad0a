//! How an answer is chosen.

use serde::{Deserialize, Serialize};

use crate::error::LlmError;

/// The largest [`DecodingParams::max_new_tokens`]. The cache is allocated for all
/// of them at once.
pub const MAX_NEW_TOKENS: usize = 65_536;

/// The most beams of a [`Strategy::Beam`]; every one has its rows in the cache.
pub const MAX_BEAMS: usize = 256;

/// How an answer is chosen from a model's logits.
///
/// The default is VisCPM's chat: 3 beams, temperature 0.7, repetition penalty
/// 1.1, length penalty 3, 512 new tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecodingParams {
    /// The search.
    pub strategy: Strategy,
    /// Divides the logits; above 0 and finite in f32 (1.2e-38 to 3.4e38). Greedy decoding does not
    /// depend on it.
    pub temperature: f64,
    /// Makes tokens of the answer less likely to come again: positive logits are
    /// divided by it, negative ones multiplied. At least 1, which is none.
    pub repetition_penalty: f64,
    /// How many of the answer's last tokens count for the repetition penalty, at
    /// least 1; `None`: all.
    pub repetition_window: Option<usize>,
    /// The most tokens an answer may have, its end included; 1 to [`MAX_NEW_TOKENS`].
    ///
    /// The reference's `max_length = n` allows `n + 2`.
    pub max_new_tokens: usize,
    /// The answer ends before the first of these texts; none may be empty.
    pub stop: Vec<String>,
}

/// The search for an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Strategy {
    /// Keeps the best `beams` answers at each step.
    Beam {
        /// 1 to [`MAX_BEAMS`].
        beams: usize,
        /// Exponent of the length by which an answer's score is divided: above 0
        /// favours long answers. Finite.
        length_penalty: f64,
    },
    /// Takes the likeliest token at each step.
    Greedy,
    /// Draws each token.
    Sample(Sampling),
}

/// Which tokens may be drawn, and from which random numbers.
///
/// The restrictions apply in the order of the fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sampling {
    /// Only the `k` likeliest tokens, at least 1; `None`: all.
    pub top_k: Option<usize>,
    /// Only the likeliest tokens that together reach this probability, above 0
    /// and at most 1; 1 allows all.
    pub top_p: f64,
    /// Only tokens with at least this fraction of the likeliest token's
    /// probability, 0 to 1; 0 allows all.
    pub min_p: f64,
    /// Seed of a ChaCha8 stream: the same seed gives the same text on every
    /// backend, up to the rounding of the logits.
    pub seed: u64,
}

impl Default for DecodingParams {
    fn default() -> Self {
        Self {
            strategy: Strategy::Beam {
                beams: 3,
                length_penalty: 3.0,
            },
            temperature: 0.7,
            repetition_penalty: 1.1,
            repetition_window: None,
            max_new_tokens: 512,
            stop: Vec::new(),
        }
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self {
            top_k: None,
            top_p: 1.0,
            min_p: 0.0,
            seed: 0,
        }
    }
}

impl DecodingParams {
    /// Checks all parameters.
    ///
    /// # Errors
    /// [`LlmError::DecodingParameter`] names the first one out of its range.
    pub fn validate(&self) -> Result<(), LlmError> {
        let greedy = matches!(self.strategy, Strategy::Greedy);
        // The logits are f32, in which smaller numbers than this one are inexact or 0.
        let temperature = self.temperature as f32;
        require(
            greedy || (temperature >= f32::MIN_POSITIVE && temperature.is_finite()),
            "temperature",
            self.temperature,
            "a number above 0 (1.2e-38 to 3.4e38); for the likeliest token at each step use \
             greedy decoding",
        )?;
        require(
            self.repetition_penalty >= 1.0 && self.repetition_penalty.is_finite(),
            "repetition_penalty",
            self.repetition_penalty,
            "a finite number, at least 1 (no penalty)",
        )?;
        require(
            self.repetition_window != Some(0),
            "repetition_window",
            0,
            "at least 1, or none for the whole answer",
        )?;
        check_max_new_tokens(self.max_new_tokens)?;
        require(
            self.stop.iter().all(|stop| !stop.is_empty()),
            "stop",
            "an empty text",
            "texts of at least one character",
        )?;
        match &self.strategy {
            Strategy::Greedy => Ok(()),
            Strategy::Beam {
                beams,
                length_penalty,
            } => {
                require((1..=MAX_BEAMS).contains(beams), "beams", beams, "1 to 256")?;
                require(
                    length_penalty.is_finite(),
                    "length_penalty",
                    length_penalty,
                    "a finite number",
                )
            }
            Strategy::Sample(sampling) => sampling.validate(),
        }
    }
}

impl Sampling {
    fn validate(&self) -> Result<(), LlmError> {
        require(
            self.top_k != Some(0),
            "top_k",
            0,
            "at least 1, or none for all tokens",
        )?;
        require(
            self.top_p > 0.0 && self.top_p <= 1.0,
            "top_p",
            self.top_p,
            "above 0, at most 1 (all tokens)",
        )?;
        require(
            (0.0..=1.0).contains(&self.min_p),
            "min_p",
            self.min_p,
            "0 (all tokens) to 1",
        )
    }
}

/// Whether an answer may be allowed so many tokens.
pub(crate) fn check_max_new_tokens(count: usize) -> Result<(), LlmError> {
    let possible = (1..=MAX_NEW_TOKENS).contains(&count);
    require(possible, "max_new_tokens", count, "1 to 65536")
}

fn require(
    holds: bool,
    name: &'static str,
    value: impl ToString,
    allowed: &'static str,
) -> Result<(), LlmError> {
    if holds {
        Ok(())
    } else {
        Err(LlmError::DecodingParameter {
            name,
            value: value.to_string(),
            allowed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(sampling: Sampling) -> DecodingParams {
        DecodingParams {
            strategy: Strategy::Sample(sampling),
            ..DecodingParams::default()
        }
    }

    #[test]
    fn names_the_parameter_that_is_out_of_range() {
        let default = DecodingParams::default;
        let cases = [
            (
                "temperature",
                DecodingParams {
                    temperature: 0.0,
                    ..sample(Sampling::default())
                },
            ),
            (
                "temperature",
                DecodingParams {
                    temperature: f64::NAN,
                    ..default()
                },
            ),
            // As f32 these are no ordinary numbers.
            (
                "temperature",
                DecodingParams {
                    temperature: 1e-40,
                    ..default()
                },
            ),
            (
                "temperature",
                DecodingParams {
                    temperature: 1e40,
                    ..default()
                },
            ),
            (
                "repetition_penalty",
                DecodingParams {
                    repetition_penalty: 0.9,
                    ..default()
                },
            ),
            (
                "repetition_penalty",
                DecodingParams {
                    repetition_penalty: f64::NAN,
                    ..default()
                },
            ),
            (
                "repetition_window",
                DecodingParams {
                    repetition_window: Some(0),
                    ..default()
                },
            ),
            (
                "max_new_tokens",
                DecodingParams {
                    max_new_tokens: 0,
                    ..default()
                },
            ),
            (
                "max_new_tokens",
                DecodingParams {
                    max_new_tokens: usize::MAX,
                    ..default()
                },
            ),
            (
                "beams",
                DecodingParams {
                    strategy: Strategy::Beam {
                        beams: usize::MAX,
                        length_penalty: 1.0,
                    },
                    ..default()
                },
            ),
            (
                "stop",
                DecodingParams {
                    stop: vec![String::new()],
                    ..default()
                },
            ),
            (
                "beams",
                DecodingParams {
                    strategy: Strategy::Beam {
                        beams: 0,
                        length_penalty: 1.0,
                    },
                    ..default()
                },
            ),
            (
                "length_penalty",
                DecodingParams {
                    strategy: Strategy::Beam {
                        beams: 1,
                        length_penalty: f64::INFINITY,
                    },
                    ..default()
                },
            ),
            (
                "top_k",
                sample(Sampling {
                    top_k: Some(0),
                    ..Sampling::default()
                }),
            ),
            (
                "top_p",
                sample(Sampling {
                    top_p: 0.0,
                    ..Sampling::default()
                }),
            ),
            (
                "top_p",
                sample(Sampling {
                    top_p: f64::NAN,
                    ..Sampling::default()
                }),
            ),
            (
                "min_p",
                sample(Sampling {
                    min_p: 1.5,
                    ..Sampling::default()
                }),
            ),
        ];
        for (expected, params) in cases {
            match params.validate() {
                Err(LlmError::DecodingParameter { name, .. }) => assert_eq!(name, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }

    #[test]
    fn greedy_decoding_has_no_temperature() {
        let params = DecodingParams {
            strategy: Strategy::Greedy,
            temperature: 0.0,
            ..DecodingParams::default()
        };
        params.validate().expect("greedy ignores it");
    }

    #[test]
    fn json_names_what_differs_from_the_default() {
        let json = r#"{"strategy": {"sample": {"top_k": 40, "seed": 7}}, "stop": ["\n"]}"#;
        let params: DecodingParams = serde_json::from_str(json).expect("valid");
        let expected = DecodingParams {
            stop: vec!["\n".to_owned()],
            ..sample(Sampling {
                top_k: Some(40),
                seed: 7,
                ..Sampling::default()
            })
        };
        assert_eq!(params, expected);
        let text = serde_json::to_string(&params).expect("serialises");
        assert_eq!(
            serde_json::from_str::<DecodingParams>(&text).expect("valid"),
            expected
        );
        assert!(serde_json::from_str::<DecodingParams>(r#"{"beam": 3}"#).is_err());
    }
}
