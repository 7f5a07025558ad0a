//! Texts as a language model reads them.

use std::ops::Range;

/// Texts in templates, as one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextBatch<I> {
    /// What the model reads, `[texts, seq]`; padded on the right to the longest.
    pub input: I,
    /// Which tokens of each row are the text's.
    pub texts: Vec<TextTokens>,
}

impl<I> TextBatch<I> {
    /// The same batch for another type of input.
    pub fn map<J>(self, wrap: impl FnOnce(I) -> J) -> TextBatch<J> {
        TextBatch {
            input: wrap(self.input),
            texts: self.texts,
        }
    }
}

/// The places of a text in its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextTokens {
    /// The text's own tokens; none of an empty text.
    pub own: Range<usize>,
    /// All tokens behind the text; in one template there are as many behind every text.
    pub behind: Range<usize>,
}

impl TextTokens {
    /// Number of tokens of the row, without padding.
    #[allow(clippy::len_without_is_empty, reason = "a template is not empty")]
    pub fn len(&self) -> usize {
        self.behind.end
    }
}
