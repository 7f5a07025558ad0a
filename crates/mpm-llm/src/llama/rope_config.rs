//! Which frequencies rotate queries and keys, `modeling_rope_utils.py` of `transformers`.

use std::f64::consts::PI;

use crate::{check::require, error::LlmError};

/// Rotary positions (<https://arxiv.org/abs/2104.09864>), and how they are stretched to contexts
/// longer than the model was first trained on.
#[derive(Clone, Debug, PartialEq)]
pub struct RopeConfig {
    /// Base of the geometric series of frequencies.
    pub theta: f64,
    /// How they are stretched.
    pub scaling: RopeScaling,
}

/// How rotary positions are stretched.
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// Not at all.
    Default,
    /// All frequencies are divided.
    Linear {
        /// By this.
        factor: f64,
    },
    /// The base grows with the text ("NTK-aware"), once that is longer than the model was made
    /// for. A whole text gets the frequencies of its length; in one that grows token by token,
    /// each token gets those of the length so far.
    Dynamic {
        /// How fast it grows.
        factor: f64,
        /// Tokens that the model was made for.
        max_position_embeddings: f64,
    },
    /// Low frequencies are divided, high ones are not, and those between partly (LLaMA 3.1).
    Llama3 {
        /// What low frequencies are divided by.
        factor: f64,
        /// Turns in the original context up to which a frequency is low.
        low_freq_factor: f64,
        /// Turns in the original context from which on a frequency is high.
        high_freq_factor: f64,
        /// Tokens of the original context.
        original_max_position_embeddings: f64,
    },
    /// As [`Llama3`](Self::Llama3) with another transition, and sharper attention
    /// (<https://arxiv.org/abs/2309.00071>).
    Yarn {
        /// What low frequencies are divided by.
        factor: f64,
        /// Factor of rotated queries and of rotated keys.
        attention_factor: f64,
        /// Turns in the original context from which on a frequency is high.
        beta_fast: f64,
        /// Turns in the original context up to which a frequency is low.
        beta_slow: f64,
        /// Tokens of the original context.
        original_max_position_embeddings: f64,
        /// Whether the transition begins and ends at whole dimensions.
        truncate: bool,
    },
    /// Each frequency is divided by a number of its own (<https://arxiv.org/abs/2402.13753>).
    LongRope {
        /// The numbers for texts that the original context can hold.
        short_factor: Vec<f64>,
        /// Those for longer ones.
        long_factor: Vec<f64>,
        /// Factor of rotated queries and of rotated keys.
        attention_factor: f64,
        /// Tokens of the original context.
        original_max_position_embeddings: f64,
    },
}

impl Default for RopeConfig {
    fn default() -> Self {
        Self {
            theta: 10_000.0,
            scaling: RopeScaling::Default,
        }
    }
}

impl RopeConfig {
    /// Angle per position of each pair of dimensions, for a text of `len` tokens.
    ///
    /// In f32 as in `transformers`, because far positions magnify the rounding.
    pub fn frequencies(&self, head_dim: usize, len: usize) -> Vec<f32> {
        let plain = |theta: f64| series(theta, head_dim);
        match &self.scaling {
            RopeScaling::Default => plain(self.theta),
            RopeScaling::Linear { factor } => {
                let frequencies = plain(self.theta).into_iter();
                frequencies.map(|f| f / *factor as f32).collect()
            }
            RopeScaling::Dynamic {
                factor,
                max_position_embeddings,
            } => {
                let longer = (len as f64).max(*max_position_embeddings) / max_position_embeddings;
                let dim = head_dim as f64;
                let growth = (factor * longer - (factor - 1.0)).powf(dim / (dim - 2.0));
                plain(self.theta * growth)
            }
            &RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings,
            } => {
                let stretch = |frequency: f32| {
                    let f = f64::from(frequency);
                    let turns = original_max_position_embeddings * f / (2.0 * PI);
                    let kept = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
                    let kept = kept.clamp(0.0, 1.0);
                    ((1.0 - kept) * f / factor + kept * f) as f32
                };
                plain(self.theta).into_iter().map(stretch).collect()
            }
            &RopeScaling::Yarn {
                factor,
                beta_fast,
                beta_slow,
                original_max_position_embeddings,
                truncate,
                ..
            } => {
                let dim = head_dim as f64;
                // The pair of dimensions that turns so often in the original context.
                let pair = |turns: f64| {
                    let wavelength = original_max_position_embeddings / turns;
                    dim * (wavelength / (2.0 * PI)).ln() / (2.0 * self.theta.ln())
                };
                let (first, last) = match truncate {
                    true => (pair(beta_fast).floor(), pair(beta_slow).ceil()),
                    false => (pair(beta_fast), pair(beta_slow)),
                };
                let (first, last) = (first.max(0.0), last.min(dim - 1.0));
                // Equal ones would divide by 0.
                let width = if first == last { 0.001 } else { last - first };
                let stretch = |(pair, frequency): (usize, f32)| {
                    let f = f64::from(frequency);
                    let divided = ((pair as f64 - first) / width).clamp(0.0, 1.0);
                    (divided * f / factor + (1.0 - divided) * f) as f32
                };
                let frequencies = plain(self.theta).into_iter().enumerate();
                frequencies.map(stretch).collect()
            }
            RopeScaling::LongRope {
                short_factor,
                long_factor,
                original_max_position_embeddings,
                ..
            } => {
                let is_long = len as f64 > *original_max_position_embeddings;
                let factors = if is_long { long_factor } else { short_factor };
                let frequencies = plain(self.theta).into_iter().zip(factors);
                frequencies
                    .map(|(frequency, factor)| frequency / *factor as f32)
                    .collect()
            }
        }
    }

    /// Factor of rotated queries and of rotated keys.
    pub fn attention_factor(&self) -> f64 {
        match self.scaling {
            RopeScaling::Yarn {
                attention_factor, ..
            }
            | RopeScaling::LongRope {
                attention_factor, ..
            } => attention_factor,
            _ => 1.0,
        }
    }

    /// Whether heads of this width can be rotated so.
    pub(super) fn validate(&self, head_dim: usize) -> Result<(), LlmError> {
        let above = |key, value: f64, bound: f64, allowed| {
            require(value > bound && value.is_finite(), key, value, allowed)
        };
        let positive = |key, value| above(key, value, 0.0, "a positive number");
        above("rope_theta", self.theta, 1.0, "a number above 1")?;
        positive("rope attention_factor", self.attention_factor())?;
        match &self.scaling {
            RopeScaling::Default => Ok(()),
            RopeScaling::Linear { factor } => positive("rope factor", *factor),
            RopeScaling::Dynamic {
                factor,
                max_position_embeddings,
            } => {
                require(
                    head_dim > 2,
                    "head_dim",
                    head_dim,
                    "4 or more, for dynamic rope",
                )?;
                positive("max_position_embeddings", *max_position_embeddings)?;
                positive("rope factor", *factor)
            }
            &RopeScaling::Llama3 {
                factor,
                low_freq_factor,
                high_freq_factor,
                original_max_position_embeddings,
            } => {
                positive("rope factor", factor)?;
                positive("rope low_freq_factor", low_freq_factor)?;
                above(
                    "rope high_freq_factor",
                    high_freq_factor,
                    low_freq_factor,
                    "a number above low_freq_factor",
                )?;
                positive(
                    "rope original_max_position_embeddings",
                    original_max_position_embeddings,
                )
            }
            &RopeScaling::Yarn {
                factor,
                beta_fast,
                beta_slow,
                original_max_position_embeddings,
                ..
            } => {
                positive("rope factor", factor)?;
                positive("rope beta_slow", beta_slow)?;
                above(
                    "rope beta_fast",
                    beta_fast,
                    beta_slow,
                    "a number above beta_slow",
                )?;
                positive(
                    "rope original_max_position_embeddings",
                    original_max_position_embeddings,
                )
            }
            RopeScaling::LongRope {
                short_factor,
                long_factor,
                original_max_position_embeddings,
                ..
            } => {
                for (key, factors) in [
                    ("rope short_factor", short_factor),
                    ("rope long_factor", long_factor),
                ] {
                    require(
                        factors.len() == head_dim / 2,
                        key,
                        format!("a list of {}", factors.len()),
                        "a list of head_dim / 2 numbers",
                    )?;
                    factors
                        .iter()
                        .try_for_each(|&factor| positive(key, factor))?;
                }
                positive(
                    "rope original_max_position_embeddings",
                    *original_max_position_embeddings,
                )
            }
        }
    }
}

/// `theta^(-2i / head_dim)` for each pair `i`.
fn series(theta: f64, head_dim: usize) -> Vec<f32> {
    let frequency = |pair: usize| {
        let exponent = (2 * pair) as f32 / head_dim as f32;
        (theta as f32).powf(exponent).recip()
    };
    (0..head_dim / 2).map(frequency).collect()
}
