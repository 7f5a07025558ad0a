//! BLEU-4 (Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation",
//! ACL 2002), in the two definitions whose figures are published.
//!
//! Both compare runs of 1 to 4 words. With `p_n` for how many of the candidates' runs of `n` words
//! are in a reference (each counted at most as often as the reference has it), `c` for the
//! number of the candidates' words and `r` for that of the references of the nearest lengths,
//! BLEU is `min(1, exp(1 - r/c)) · (p_1 · p_2 · p_3 · p_4)^(1/4)` over the whole corpus. They
//! differ in the words, the scale, and in what a `p_n` of zero becomes:
//!
//! | | [`corpus_bleu`], [`sentence_bleu`] | [`coco_bleu`] |
//! |---|---|---|
//! | figures of | translation: sacrebleu | captions: pycocoevalcap |
//! | usual words | [`Mteval13a`](super::Tokenizer::Mteval13a), case counts | [`PennTreebank`](super::Tokenizer::PennTreebank), no case, no punctuation |
//! | scale | 0 to 100 | 0 to 1 |
//! | no run in common | the first such `p_n` is `1/2` of a run, the next `1/4`, … | 10⁻¹⁵ of a run |

mod coco;
mod sacrebleu;

pub use coco::{CocoBleu, coco_bleu};
pub use sacrebleu::{Bleu, corpus_bleu, sentence_bleu};

use super::{
    example::Words,
    ngrams::{MAX_ORDER, Ngrams},
};

/// What both definitions count.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    candidate_words: usize,
    reference_words: usize,
    /// Runs that a reference has, by length.
    matches: [usize; MAX_ORDER],
    /// All runs of the candidate.
    runs: [usize; MAX_ORDER],
}

impl Counts {
    fn new(words: &Words) -> Self {
        let length = words.candidate.len();
        let lengths = words.references.iter().map(Vec::len);
        // Of two that are equally near, the shorter one.
        let nearest = lengths.min_by_key(|one| (one.abs_diff(length), *one));
        let candidate = Ngrams::new(&words.candidate);
        let references = Ngrams::most_of(&words.references);
        let mut counts = Self {
            candidate_words: length,
            reference_words: nearest.unwrap_or_default(),
            ..Self::default()
        };
        for (order, (candidate, references)) in
            candidate.counts.iter().zip(&references.counts).enumerate()
        {
            counts.runs[order] = length.saturating_sub(order);
            let common = candidate.iter().map(|(run, count)| {
                let most = references.get(run).copied().unwrap_or_default();
                most.min(*count)
            });
            counts.matches[order] = common.sum();
        }
        counts
    }

    fn sum(all: &[Self]) -> Self {
        let mut sum = Self::default();
        for one in all {
            sum.candidate_words += one.candidate_words;
            sum.reference_words += one.reference_words;
            for order in 0..MAX_ORDER {
                sum.matches[order] += one.matches[order];
                sum.runs[order] += one.runs[order];
            }
        }
        sum
    }
}
