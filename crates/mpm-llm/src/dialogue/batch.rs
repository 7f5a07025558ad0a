//! Dialogues to train on, put together.

use std::ops::Range;

/// Several dialogues with what is to be learnt; `I` is what the model reads beside the embeddings.
#[derive(Clone, Debug)]
pub struct DialogueBatch<I> {
    /// The tokens.
    pub input: I,
    /// The next token of each position of an answer, −100 elsewhere: `[batch · seq]`.
    pub targets: Vec<i64>,
    /// For each row the slots of its pictures; none where words stand in their place.
    pub bounds: Vec<Vec<Range<usize>>>,
}

impl<I> DialogueBatch<I> {
    /// The same, with another view of the tokens.
    pub(crate) fn map<T>(self, input: impl FnOnce(I) -> T) -> DialogueBatch<T> {
        DialogueBatch {
            input: input(self.input),
            targets: self.targets,
            bounds: self.bounds,
        }
    }
}
