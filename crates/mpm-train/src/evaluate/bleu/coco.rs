//! The BLEU of pycocoevalcap (`pycocoevalcap/bleu/bleu_scorer.py`, option `closest`).

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Counts;
use crate::evaluate::{Example, MetricError, Tokenizer, example, ngrams::MAX_ORDER};

/// What is added to numerators.
const TINY: f64 = 1e-15;
/// What is added to denominators, so that none is zero.
const SMALL: f64 = 1e-9;

/// BLEU-1 to BLEU-4 as pycocoevalcap has them, `0.0..=1.0`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CocoBleu {
    /// Of the corpus: BLEU-1, BLEU-2, BLEU-3, BLEU-4.
    pub corpus: [f64; MAX_ORDER],
    /// The same of each example.
    pub examples: Vec<[f64; MAX_ORDER]>,
}

/// BLEU-1 to BLEU-4 of captions.
///
/// # Errors
/// [`MetricError::NoExamples`], [`MetricError::NoReference`].
pub fn coco_bleu(examples: &[Example], tokenizer: Tokenizer) -> Result<CocoBleu, MetricError> {
    let words = example::words(examples, tokenizer)?;
    let counts: Vec<_> = words.iter().map(Counts::new).collect();
    Ok(CocoBleu {
        corpus: bleu(&Counts::sum(&counts)),
        examples: counts.iter().map(bleu).collect(),
    })
}

fn bleu(counts: &Counts) -> [f64; MAX_ORDER] {
    let candidate = counts.candidate_words as f64 + TINY;
    let ratio = candidate / (counts.reference_words as f64 + SMALL);
    let penalty = match ratio < 1.0 {
        true => (1.0 - 1.0 / ratio).exp(),
        false => 1.0,
    };
    let mut product = 1.0;
    let mut scores = [0.0; MAX_ORDER];
    for (order, score) in scores.iter_mut().enumerate() {
        let matches = counts.matches[order] as f64 + TINY;
        product *= matches / (counts.runs[order] as f64 + SMALL);
        *score = penalty * f64::powf(product, 1.0 / (order + 1) as f64);
    }
    scores
}

impl fmt::Display for CocoBleu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (order, score) in (1..).zip(self.corpus) {
            let separator = if order == 1 { "" } else { ", " };
            write!(f, "{separator}BLEU-{order} {score:.4}")?;
        }
        Ok(())
    }
}
