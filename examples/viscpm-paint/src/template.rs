//! How a text becomes the language model's prompt.

use mpm_llm::{Family, LlmError, template::TextTemplate};
use serde::{Deserialize, Serialize};

use crate::PaintError;

/// What stands around a text, and which of the states the UNet reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptTemplate {
    /// What stands around what is to be painted, for the language model's family.
    pub parts: TextTemplate,
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

impl PromptTemplate {
    /// All of [the family's usual template](TextTemplate::default_of); for CPM-Bee the reference's.
    pub fn default_of(family: Family) -> Self {
        Self {
            parts: TextTemplate::default_of(family),
            states: PromptPart::All,
        }
    }

    /// Checks that a language model can read it: that the text has one place, and something behind
    /// it where that is read.
    ///
    /// # Errors
    /// [`PaintError::Config`].
    pub fn validate(&self, family: Family) -> Result<(), PaintError> {
        let config = |error: LlmError| PaintError::Config {
            reason: format!("`prompt.parts`: {error}"),
        };
        self.parts.require_family(family).map_err(config)?;
        self.parts.validate().map_err(config)?;
        match self.states {
            PromptPart::All => Ok(()),
            PromptPart::BehindText => {
                self.parts
                    .require_behind()
                    .map_err(|error| PaintError::Config {
                        reason: format!(
                            "`prompt.states` is `behind_text`, but {error}, or read `all`"
                        ),
                    })
            }
        }
    }
}
