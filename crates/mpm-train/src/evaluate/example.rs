//! What metrics of captions compare.

use serde::{Deserialize, Serialize};

use super::{MetricError, Tokenizer};

/// A text of a model and what people wrote for the same picture or sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The model's text. An empty one is compared as such.
    pub candidate: String,
    /// People's texts, at least one.
    pub references: Vec<String>,
}

impl Example {
    /// An example of a candidate and its references.
    pub fn new<R: Into<String>>(
        candidate: impl Into<String>,
        references: impl IntoIterator<Item = R>,
    ) -> Self {
        Self {
            candidate: candidate.into(),
            references: references.into_iter().map(Into::into).collect(),
        }
    }
}

/// An example as words.
#[derive(Debug)]
pub(super) struct Words {
    pub candidate: Vec<String>,
    pub references: Vec<Vec<String>>,
}

/// Cuts all texts into words.
///
/// # Errors
/// [`MetricError::NoExamples`], [`MetricError::NoReference`].
pub(super) fn words(examples: &[Example], tokenizer: Tokenizer) -> Result<Vec<Words>, MetricError> {
    if examples.is_empty() {
        return Err(MetricError::NoExamples);
    }
    let words = |(index, example): (usize, &Example)| match example.references.is_empty() {
        true => Err(MetricError::NoReference { index }),
        false => Ok(Words {
            candidate: tokenizer.tokenize(&example.candidate),
            references: tokenize_all(&example.references, tokenizer),
        }),
    };
    examples.iter().enumerate().map(words).collect()
}

fn tokenize_all(texts: &[String], tokenizer: Tokenizer) -> Vec<Vec<String>> {
    let texts = texts.iter();
    texts.map(|text| tokenizer.tokenize(text)).collect()
}
