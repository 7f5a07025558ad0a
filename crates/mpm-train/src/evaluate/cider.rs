//! CIDEr-D (Vedantam, Zitnick and Parikh, "CIDEr: Consensus-based Image Description Evaluation",
//! CVPR 2015), as pycocoevalcap has it (`pycocoevalcap/cider/cider_scorer.py`).
//!
//! Each text is a vector of its runs of `n` words, each with how often it occurs times
//! `ln(N / d)`, for `N` examples of which `d` have the run in a reference. The candidate is
//! compared with each reference by the cosine of their vectors, where it may have no more of a
//! run than the reference has, times `exp(-δ²/72)` for lengths that differ by `δ`; the mean over
//! `n` = 1 to 4 and the references, times 10, is the score.
//!
//! Since rare runs weigh most, a score depends on the whole set of references: figures of
//! different sets cannot be compared, those of one example are all 0, and repeated ones have less.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::{
    Example, MetricError, Tokenizer, example,
    ngrams::{MAX_ORDER, Ngrams},
};

/// The deviation of lengths at which the penalty is `exp(-1/2)`.
const SIGMA: f64 = 6.0;
/// Makes scores of usual captions lie near 1.
const SCALE: f64 = 10.0;

/// CIDEr-D, `0.0..=10.0`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cider {
    /// The mean of all examples.
    pub mean: f64,
    /// That of each example.
    pub examples: Vec<f64>,
}

/// CIDEr-D of captions, usually with [`Tokenizer::PennTreebank`]. How rare a run is comes from
/// the references of these examples.
///
/// # Errors
/// [`MetricError::NoExamples`], [`MetricError::NoReference`].
pub fn cider(examples: &[Example], tokenizer: Tokenizer) -> Result<Cider, MetricError> {
    let words = example::words(examples, tokenizer)?;
    let mut documents: HashMap<&[String], usize> = HashMap::new();
    for example in &words {
        for run in Ngrams::most_of(&example.references)
            .counts
            .iter()
            .flat_map(BTreeMap::keys)
        {
            *documents.entry(run).or_default() += 1;
        }
    }
    let examples_ln = (words.len() as f64).ln();
    let rarity = |run: &[String]| {
        let documents = documents.get(run).copied().unwrap_or_default().max(1);
        examples_ln - (documents as f64).ln()
    };
    let score = |example: &example::Words| {
        let candidate = Vector::new(&example.candidate, rarity);
        let references = example.references.iter();
        let scores =
            references.map(|reference| candidate.similarity(&Vector::new(reference, rarity)));
        SCALE * scores.sum::<f64>() / example.references.len() as f64
    };
    let examples: Vec<_> = words.iter().map(score).collect();
    Ok(Cider {
        mean: examples.iter().sum::<f64>() / examples.len() as f64,
        examples,
    })
}

/// A text as its weighted runs.
struct Vector<'a> {
    weights: [BTreeMap<&'a [String], f64>; MAX_ORDER],
    norms: [f64; MAX_ORDER],
    /// Pairs of neighbours: what the reference takes for the length.
    length: usize,
}

impl<'a> Vector<'a> {
    fn new(words: &'a [String], rarity: impl Fn(&[String]) -> f64) -> Self {
        let weigh = |counts: BTreeMap<&'a [String], usize>| {
            let weigh = |(run, count)| (run, count as f64 * rarity(run));
            counts.into_iter().map(weigh).collect()
        };
        let weights = Ngrams::new(words).counts.map(weigh);
        let norm = |weights: &BTreeMap<_, f64>| {
            let squares = weights.values().map(|weight| weight * weight);
            squares.sum::<f64>().sqrt()
        };
        Self {
            norms: weights.each_ref().map(norm),
            weights,
            length: words.len().saturating_sub(1),
        }
    }

    /// The mean cosine over the lengths of runs, with the penalty.
    fn similarity(&self, reference: &Self) -> f64 {
        let mut sum = 0.0;
        for order in 0..MAX_ORDER {
            let common = self.weights[order].iter().map(|(run, weight)| {
                let other = reference.weights[order]
                    .get(run)
                    .copied()
                    .unwrap_or_default();
                weight.min(other) * other
            });
            let product = common.sum::<f64>();
            let norms = self.norms[order] * reference.norms[order];
            if norms > 0.0 {
                sum += product / norms;
            }
        }
        let difference = self.length.abs_diff(reference.length) as f64;
        let penalty = (-difference * difference / (2.0 * SIGMA * SIGMA)).exp();
        penalty * sum / MAX_ORDER as f64
    }
}

impl fmt::Display for Cider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CIDEr-D {:.4}", self.mean)
    }
}
