//! The two scores of a reply.

use serde::{Deserialize, Serialize};

/// The scale.
const LOWEST: f64 = 1.0;
const HIGHEST: f64 = 10.0;
/// How much of a line is shown in messages, in characters.
const SHOWN: usize = 80;

/// What a judge gives the two answers, `1.0..=10.0` each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The reference answer's.
    pub reference: f64,
    /// The model's.
    pub model: f64,
}

/// Why a reply has no scores.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ScoreError {
    /// It has no text.
    #[error("the judge's reply is empty")]
    Empty,

    /// Its first line has other things than two numbers.
    #[error("the judge's reply has to begin with a line of two scores, not with `{line}`")]
    NotTwo {
        /// The beginning of that line.
        line: String,
    },

    /// A number is none of the scale.
    #[error("the judge gave the score {score}, which is not from 1 to 10")]
    Range {
        /// The number.
        score: f64,
    },
}

impl Scores {
    /// Takes the scores from a reply: two numbers in its first line that is not empty, with spaces,
    /// a comma or a slash between them. What comes after that line is the judge's reasoning.
    ///
    /// # Errors
    /// [`ScoreError`].
    pub fn parse(reply: &str) -> Result<Self, ScoreError> {
        let mut lines = reply.lines().map(str::trim).filter(|line| !line.is_empty());
        let line = lines.next().ok_or(ScoreError::Empty)?;
        let separates = |character: char| {
            character.is_whitespace() || [',', '/', '，', '、'].contains(&character)
        };
        let parts = line.split(separates).filter(|part| !part.is_empty());
        // Rust's `inf` and `nan` are numbers of no scale.
        let numbers: Option<Vec<f64>> = parts.map(|part| part.parse().ok()).collect();
        let Some([reference, model]) = numbers.as_deref() else {
            let line = line.chars().take(SHOWN).collect();
            return Err(ScoreError::NotTwo { line });
        };
        for score in [*reference, *model] {
            if !(LOWEST..=HIGHEST).contains(&score) {
                return Err(ScoreError::Range { score });
            }
        }
        Ok(Self {
            reference: *reference,
            model: *model,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_first_line_has_the_scores() {
        let scores = |reference, model| Ok(Scores { reference, model });
        let cases = [
            ("8 7\nBecause 1 2.", scores(8.0, 7.0)),
            ("\n 9.5, 6\n", scores(9.5, 6.0)),
            ("10，1", scores(10.0, 1.0)),
            ("8/7", scores(8.0, 7.0)),
        ];
        for (reply, expected) in cases {
            assert_eq!(Scores::parse(reply), expected, "{reply}");
        }
        assert_eq!(Scores::parse(" \n"), Err(ScoreError::Empty));
        for reply in [
            "Assistant 1: 8",
            "8",
            "8 7 6",
            "8 seven",
            "I cannot judge this.",
        ] {
            let error = Scores::parse(reply);
            assert!(
                matches!(error, Err(ScoreError::NotTwo { .. })),
                "{reply}: {error:?}"
            );
        }
        for reply in ["0 5", "5 11", "5 nan", "5 inf", "-1 5"] {
            let error = Scores::parse(reply);
            assert!(
                matches!(error, Err(ScoreError::Range { .. })),
                "{reply}: {error:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_reply_is_read(reply in "(?s).{0,60}") {
            if let Ok(scores) = Scores::parse(&reply) {
                prop_assert!((1.0..=10.0).contains(&scores.reference));
            }
        }
    }
}
