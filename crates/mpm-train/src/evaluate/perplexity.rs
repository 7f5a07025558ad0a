//! Perplexity: how many words a model hesitates between, on average.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Summed negative log likelihood and the number of tokens it is of.
///
/// Perplexity is `exp(nll / tokens)`, from 1 for a model that foresees every token; one that takes
/// each of `v` tokens for equally likely has `v`. Sums are kept instead of means, because the mean
/// of the means of batches is not the mean of all tokens. It depends on the tokenizer: only figures
/// of models that share one can be compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Perplexity {
    /// The sum of `-ln p` over all tokens that count.
    pub negative_log_likelihood: f64,
    /// Number of these tokens.
    pub tokens: u64,
}

impl Perplexity {
    /// Adds a batch: the *sum* of its losses in nats, and the number of tokens that count.
    pub fn add(&mut self, negative_log_likelihood: f64, tokens: u64) {
        self.negative_log_likelihood += negative_log_likelihood;
        self.tokens += tokens;
    }

    /// Adds what another worker has counted.
    pub fn merge(&mut self, other: Self) {
        self.add(other.negative_log_likelihood, other.tokens);
    }

    /// The mean loss of a token, in nats; `None` before the first one.
    pub fn mean_loss(&self) -> Option<f64> {
        (self.tokens > 0).then(|| self.negative_log_likelihood / self.tokens as f64)
    }

    /// The perplexity, `1.0..`, infinite if a token was held for impossible; `None` before the
    /// first token.
    pub fn value(&self) -> Option<f64> {
        self.mean_loss().map(f64::exp)
    }
}

impl fmt::Display for Perplexity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.value() {
            Some(value) => write!(f, "perplexity {value:.3} over {} tokens", self.tokens),
            None => write!(f, "perplexity of no tokens"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_of_any_size_make_one_mean() {
        let mut whole = Perplexity::default();
        assert_eq!((whole.value(), whole.mean_loss()), (None, None));
        whole.add(4.0, 8);
        let mut other = Perplexity::default();
        other.add(8.0, 2);
        whole.merge(other);
        assert_eq!(whole.mean_loss(), Some(1.2));
        assert_eq!(whole.value(), Some(1.2_f64.exp()));
        assert_eq!(whole.to_string(), "perplexity 3.320 over 10 tokens");
    }

    #[test]
    fn equal_chances_are_as_many_words() {
        let mut even = Perplexity::default();
        even.add(7.0 * 50_f64.ln(), 7);
        assert!((even.value().unwrap_or_default() - 50.0).abs() < 1e-12);
        even.add(f64::INFINITY, 1);
        assert_eq!(even.value(), Some(f64::INFINITY));
    }
}
