//! The BLEU of sacrebleu, with its exponential smoothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Counts;
use crate::evaluate::{Example, MetricError, Tokenizer, example, ngrams::MAX_ORDER};

/// BLEU as sacrebleu has it, with what it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bleu {
    /// `0.0..=100.0`.
    pub score: f64,
    /// Runs of 1, 2, 3 and 4 words that a reference has, in percent, smoothed.
    pub precisions: [f64; MAX_ORDER],
    /// The factor for candidates that are too short, `0.0..=1.0`.
    pub brevity_penalty: f64,
    /// Words of all candidates.
    pub candidate_words: usize,
    /// Words of the references whose lengths are nearest to the candidates'.
    pub reference_words: usize,
}

/// BLEU-4 of a corpus (`sacrebleu.metrics.BLEU().corpus_score`, smoothing `exp`).
///
/// # Errors
/// [`MetricError::NoExamples`], [`MetricError::NoReference`].
pub fn corpus_bleu(examples: &[Example], tokenizer: Tokenizer) -> Result<Bleu, MetricError> {
    let words = example::words(examples, tokenizer)?;
    let counts: Vec<_> = words.iter().map(Counts::new).collect();
    Ok(bleu(&Counts::sum(&counts), Order::All))
}

/// BLEU of one sentence (`sacrebleu.sentence_bleu`): only runs that are no longer than the
/// candidate count, since BLEU-4 would be zero for all of fewer than four words.
///
/// # Errors
/// [`MetricError::NoReference`].
pub fn sentence_bleu(example: &Example, tokenizer: Tokenizer) -> Result<Bleu, MetricError> {
    let words = example::words(std::slice::from_ref(example), tokenizer)?;
    let counts: Vec<_> = words.iter().map(Counts::new).collect();
    Ok(bleu(&Counts::sum(&counts), Order::OfCandidate))
}

/// Up to which length runs count.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    All,
    OfCandidate,
}

fn bleu(counts: &Counts, order: Order) -> Bleu {
    let (candidate, reference) = (counts.candidate_words, counts.reference_words);
    let brevity_penalty = match candidate {
        0 if reference > 0 => 0.0,
        _ if candidate < reference => (1.0 - reference as f64 / candidate as f64).exp(),
        _ => 1.0,
    };
    let mut precisions = [0.0; MAX_ORDER];
    let mut missed = 1.0;
    if counts.matches != [0; MAX_ORDER] {
        let fractions = counts.matches.into_iter().zip(counts.runs);
        for (precision, (matches, runs)) in precisions.iter_mut().zip(fractions) {
            *precision = match (matches, runs) {
                (_, 0) => break,
                (0, _) => {
                    missed *= 2.0;
                    100.0 / (missed * runs as f64)
                }
                _ => 100.0 * matches as f64 / runs as f64,
            };
        }
    }
    let orders = match order {
        Order::All => MAX_ORDER,
        Order::OfCandidate => candidate.clamp(1, MAX_ORDER),
    };
    let logarithms = precisions[..orders].iter().map(|precision| precision.ln());
    let mean = logarithms.sum::<f64>() / orders as f64;
    Bleu {
        score: brevity_penalty * mean.exp(),
        precisions,
        brevity_penalty,
        candidate_words: candidate,
        reference_words: reference,
    }
}

impl fmt::Display for Bleu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, two, three, four] = self.precisions;
        write!(
            f,
            "BLEU {:.2} (precisions {one:.1}/{two:.1}/{three:.1}/{four:.1}, brevity penalty {:.3}, \
             {} words against {})",
            self.score, self.brevity_penalty, self.candidate_words, self.reference_words
        )
    }
}
