//! How a text becomes the language model's prompt.

use mpm_llm::{prompt::PromptValue, tokenizer::escape};
use serde::{Deserialize, Serialize};

use crate::PaintError;

/// Where the text comes in a template.
const TEXT: &str = "{text}";

/// The parts of a prompt, and which of its states the UNet reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptTemplate {
    /// Keys and texts, in the order of the language model's input. One text is `{text}`, which
    /// stands for what is to be painted; the others are markup.
    pub parts: Vec<(String, String)>,
    /// Which states the UNet reads.
    pub states: PromptPart,
}

/// A part of the tokens of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptPart {
    /// All tokens, and the padding behind them: the reference's way.
    All,
    /// The tokens behind the text. The text's own states are those of words in one language;
    /// in the states behind it, the language model keeps what they mean.
    BehindText,
}

/// The reference's: `build_input` of `viscpm_paint.py`.
impl Default for PromptTemplate {
    fn default() -> Self {
        Self::new(&[("caption", TEXT), ("objects", "")], PromptPart::All)
    }
}

impl PromptTemplate {
    /// A template of keys and texts.
    pub fn new(parts: &[(&str, &str)], states: PromptPart) -> Self {
        let owned = |&(key, text): &(&str, &str)| (key.to_owned(), text.to_owned());
        Self {
            parts: parts.iter().map(owned).collect(),
            states,
        }
    }

    /// Checks that the text has one place, and something behind it where that is read.
    ///
    /// # Errors
    /// [`PaintError::Config`].
    pub fn validate(&self) -> Result<(), PaintError> {
        let places = self.parts.iter().filter(|(_, text)| text == TEXT).count();
        let reason = match self.states {
            _ if places != 1 => format!(
                "{places} of the texts of `prompt.parts` are `{TEXT}`; exactly one has to be, for \
                 what is to be painted"
            ),
            PromptPart::BehindText if self.place() + 1 == self.parts.len() => format!(
                "`prompt.states` is `behind_text`, but `{TEXT}` is the last of `prompt.parts`; add \
                 a part behind it, or read `all`"
            ),
            _ => return Ok(()),
        };
        Err(PaintError::Config { reason })
    }

    /// The prompt of a text. Nothing in the text is taken for markup.
    pub fn fill(&self, text: &str) -> PromptValue {
        fill(&self.parts, text)
    }

    /// The part of [`fill`](Self::fill) that ends with the text.
    pub(crate) fn fill_up_to_text(&self, text: &str) -> PromptValue {
        fill(&self.parts[..=self.place()], text)
    }

    /// The place of the text; the last one in a template without.
    fn place(&self) -> usize {
        let place = self.parts.iter().position(|(_, text)| text == TEXT);
        place.unwrap_or(self.parts.len().saturating_sub(1))
    }
}

fn fill(parts: &[(String, String)], text: &str) -> PromptValue {
    let filled = parts.iter().map(|(key, part)| match part.as_str() {
        TEXT => (key.as_str(), escape(text).into_owned()),
        markup => (key.as_str(), markup.to_owned()),
    });
    filled.collect()
}
