//! Which states stand for a sentence.

use std::ops::Range;

use mpm_llm::template::{TextTemplate, TextTokens};
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Which states become a sentence's vector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The mean of the sentence's own tokens.
    #[default]
    Mean,
    /// The sentence's last token.
    Last,
    /// The mean of the tokens behind the sentence, where a model may keep what it means.
    Behind,
}

impl Pooling {
    /// Checks that the sentence has one place in a template, and something behind it where that is
    /// read.
    ///
    /// # Errors
    /// [`TrainError::Template`].
    pub fn check(self, template: &TextTemplate) -> Result<(), TrainError> {
        template.validate()?;
        match self {
            Self::Behind => Ok(template.require_behind()?),
            Self::Mean | Self::Last => Ok(()),
        }
    }

    /// The tokens whose states stand for a sentence; none for an empty one, unless those behind it
    /// are read.
    pub(super) fn tokens(self, sentence: &TextTokens) -> Range<usize> {
        let own = sentence.own.clone();
        match self {
            Self::Last if !own.is_empty() => own.end - 1..own.end,
            Self::Mean | Self::Last => own,
            Self::Behind => sentence.behind.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;

    #[test]
    fn a_sentence_is_some_of_its_tokens() {
        let tokens = |own| TextTokens { own, behind: 5..8 };
        for (pooling, of_some, of_none) in [
            (Pooling::Mean, 2..4, 4..4),
            (Pooling::Last, 3..4, 4..4),
            (Pooling::Behind, 5..8, 5..8),
        ] {
            assert_eq!(pooling.tokens(&tokens(2..4)), of_some);
            assert_eq!(pooling.tokens(&tokens(4..4)), of_none);
        }
    }

    #[test]
    fn templates_without_a_place_or_with_nothing_to_read_are_errors() {
        let line = |text: &str| TextTemplate::Line(text.to_owned());
        for (template, pooling, expected) in [
            (line("why"), Pooling::Mean, "0 places"),
            (line("{text}"), Pooling::Behind, "ends with the text"),
        ] {
            let error = pooling.check(&template).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        Pooling::Last.check(&line("{text}")).unwrap();
        Pooling::Behind.check(&line("{text}:")).unwrap();
    }
}
