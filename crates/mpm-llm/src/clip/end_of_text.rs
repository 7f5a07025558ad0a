//! Which token's state stands for a text.

use super::input::ClipTextInput;
use crate::LlmError;

/// Where a text ends: at the first token that has seen all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndOfText {
    /// At the first of its largest ids, the rule of OpenAI's implementation, whose end token is the
    /// last of the vocabulary.
    Largest,
    /// At the first token with this id.
    Token(usize),
}

impl EndOfText {
    /// The place of each text's end, `[batch]`.
    ///
    /// # Errors
    /// [`LlmError::NoEndOfText`] for a text without the token; [`LlmError::EmptyBatch`] without
    /// texts or tokens, and [`LlmError::InputLength`] for another number of ids than the batch has.
    pub fn places(self, input: &ClipTextInput) -> Result<Vec<usize>, LlmError> {
        input.check_lengths()?;
        let rows = input.ids.chunks_exact(input.seq_len).enumerate();
        rows.map(|(row, ids)| {
            let end = match self {
                Self::Largest => ids.iter().max().copied(),
                Self::Token(token) => i32::try_from(token).ok(),
            };
            let place = ids.iter().position(|&id| Some(id) == end);
            place.ok_or(LlmError::NoEndOfText { row, rule: self })
        })
        .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    #[test]
    fn the_first_end_counts() {
        let input = ClipTextInput::pad(&[vec![8, 3, 5, 9, 5, 9], vec![8, 5]], 9);
        let places = |rule: EndOfText| rule.places(&input);
        assert_eq!(places(EndOfText::Largest).unwrap(), [3, 2]);
        assert_eq!(places(EndOfText::Token(5)).unwrap(), [2, 1]);
        let error = places(EndOfText::Token(3)).unwrap_err().to_string();
        assert!(error.contains("text 1"), "{error}");
        assert!(places(EndOfText::Token(usize::MAX)).is_err());
    }

    #[test]
    fn batches_without_texts_and_of_other_lengths_are_errors() {
        let batches: [Vec<Vec<i32>>; 2] = [vec![], vec![vec![]]];
        for texts in batches {
            let places = EndOfText::Largest.places(&ClipTextInput::pad(&texts, 9));
            assert!(matches!(places, Err(LlmError::EmptyBatch)), "{places:?}");
        }
        let short = ClipTextInput {
            batch: 2,
            ..ClipTextInput::pad(&[vec![8, 9]], 9)
        };
        let places = EndOfText::Largest.places(&short);
        assert!(
            matches!(places, Err(LlmError::InputLength { .. })),
            "{places:?}"
        );
    }
}
