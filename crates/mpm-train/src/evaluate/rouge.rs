//! ROUGE-L (Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004): the longest
//! sequence of words that candidate and reference share, in order, with gaps.
//!
//! With `l` for its length, precision is `l` by the candidate's words, recall `l` by the
//! reference's. The two definitions whose figures are published make one number of them, and of
//! several references, in their own ways.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Example, MetricError, Tokenizer, example};

/// How much more recall weighs than precision in pycocoevalcap.
const BETA: f64 = 1.2;

/// ROUGE-L as pycocoevalcap has it, `0.0..=1.0`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CocoRouge {
    /// The mean of all examples.
    pub mean: f64,
    /// That of each example.
    pub examples: Vec<f64>,
}

/// ROUGE-L of captions (`pycocoevalcap/rouge/rouge.py`), usually with
/// [`Tokenizer::PennTreebank`].
///
/// `P` is the best precision and `R` the best recall over the references, which need not be of
/// the same one; the score is `(1 + β²)·P·R / (R + β²·P)` with `β` = 1.2. A text without words
/// counts as one empty word, so that two of them are equal.
///
/// # Errors
/// [`MetricError::NoExamples`], [`MetricError::NoReference`].
pub fn coco_rouge(examples: &[Example], tokenizer: Tokenizer) -> Result<CocoRouge, MetricError> {
    let words = example::words(examples, tokenizer)?;
    let score = |example: example::Words| {
        let candidate = or_empty_word(example.candidate);
        let (mut precision, mut recall) = (0.0, 0.0);
        for reference in example.references.into_iter().map(or_empty_word) {
            let common = common_words(&candidate, &reference) as f64;
            precision = f64::max(precision, common / candidate.len() as f64);
            recall = f64::max(recall, common / reference.len() as f64);
        }
        let weight = BETA * BETA;
        match precision > 0.0 {
            true => (1.0 + weight) * precision * recall / (recall + weight * precision),
            false => 0.0,
        }
    };
    let examples: Vec<_> = words.into_iter().map(score).collect();
    Ok(CocoRouge {
        mean: mean(&examples),
        examples,
    })
}

fn or_empty_word(words: Vec<String>) -> Vec<String> {
    match words.is_empty() {
        true => vec![String::new()],
        false => words,
    }
}

impl fmt::Display for CocoRouge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ROUGE-L {:.4}", self.mean)
    }
}

/// Precision, recall and their harmonic mean, each `0.0..=1.0`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RougeScore {
    /// Words in common by words of the candidate.
    pub precision: f64,
    /// Words in common by words of the reference.
    pub recall: f64,
    /// `2·P·R / (P + R)`, 0 where both are.
    pub f1: f64,
}

/// ROUGE-L as the package rouge-score has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rouge {
    /// The mean of each figure over all examples.
    pub mean: RougeScore,
    /// Those of each example, with the reference that gives the best F1.
    pub examples: Vec<RougeScore>,
}

/// ROUGE-L of summaries (`rouge_score.rouge_scorer`, `rougeL` by `score_multi`, without a
/// stemmer), usually with [`Tokenizer::RougeScore`]; that finds no words in Chinese, so take
/// [`Tokenizer::Chinese`] there.
///
/// # Errors
/// [`MetricError::NoExamples`], [`MetricError::NoReference`].
pub fn rouge(examples: &[Example], tokenizer: Tokenizer) -> Result<Rouge, MetricError> {
    let words = example::words(examples, tokenizer)?;
    let best = |example: &example::Words| {
        let mut best = RougeScore::default();
        for reference in &example.references {
            let score = score(&example.candidate, reference);
            if score.f1 > best.f1 {
                best = score;
            }
        }
        best
    };
    let examples: Vec<_> = words.iter().map(best).collect();
    let figure =
        |figure: fn(&RougeScore) -> f64| mean(&examples.iter().map(figure).collect::<Vec<_>>());
    Ok(Rouge {
        mean: RougeScore {
            precision: figure(|score| score.precision),
            recall: figure(|score| score.recall),
            f1: figure(|score| score.f1),
        },
        examples,
    })
}

fn score(candidate: &[String], reference: &[String]) -> RougeScore {
    let common = common_words(candidate, reference) as f64;
    if common == 0.0 {
        return RougeScore::default();
    }
    let precision = common / candidate.len() as f64;
    let recall = common / reference.len() as f64;
    RougeScore {
        precision,
        recall,
        f1: 2.0 * precision * recall / (precision + recall),
    }
}

impl fmt::Display for Rouge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RougeScore {
            precision,
            recall,
            f1,
        } = self.mean;
        write!(
            f,
            "ROUGE-L F1 {f1:.4} (precision {precision:.4}, recall {recall:.4})"
        )
    }
}

/// The mean of figures, of which there is at least one.
fn mean(figures: &[f64]) -> f64 {
    figures.iter().sum::<f64>() / figures.len() as f64
}

/// The length of the longest common subsequence.
fn common_words(first: &[String], second: &[String]) -> usize {
    // Of the words of `second` so far: the row before, and the one that is being filled.
    let mut before = vec![0; second.len() + 1];
    let mut row = before.clone();
    for one in first {
        for (at, other) in second.iter().enumerate() {
            row[at + 1] = match one == other {
                true => before[at] + 1,
                false => row[at].max(before[at + 1]),
            };
        }
        std::mem::swap(&mut before, &mut row);
    }
    before[second.len()]
}
