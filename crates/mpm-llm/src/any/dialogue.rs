//! Dialogues to train on.

use super::AnyTokenizer;
use crate::{
    Family, LlmError,
    cpm_bee::{CpmBeeDialogue, CpmBeeInput},
    dialogue::{Dialogue, DialogueBatch},
    llama::{LlamaBatch, LlamaDialogue},
};

/// A dialogue in ids.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "all of a data set are of one kind"
)]
pub enum AnyDialogue {
    /// For CPM-Bee.
    CpmBee(CpmBeeDialogue),
    /// For a model of the LLaMA family.
    Llama(LlamaDialogue),
}

/// Tokens of a batch.
#[derive(Clone, Debug)]
pub enum AnyInput {
    /// For CPM-Bee.
    CpmBee(CpmBeeInput),
    /// For a model of the LLaMA family.
    Llama(LlamaBatch),
}

impl AnyDialogue {
    /// Encodes a dialogue with its answer.
    ///
    /// # Errors
    /// Those of [`CpmBeeDialogue::new`] and [`LlamaDialogue::new`].
    pub fn new(tokenizer: &AnyTokenizer, dialogue: &Dialogue) -> Result<Self, LlmError> {
        Ok(match tokenizer {
            AnyTokenizer::CpmBee(tokenizer) => {
                Self::CpmBee(CpmBeeDialogue::new(tokenizer, dialogue)?)
            }
            AnyTokenizer::Llama(text) => Self::Llama(LlamaDialogue::new(text, dialogue)?),
        })
    }

    /// Number of tokens, a picture's included.
    #[allow(clippy::len_without_is_empty, reason = "no dialogue is empty")]
    pub fn len(&self) -> usize {
        match self {
            Self::CpmBee(dialogue) => dialogue.len(),
            Self::Llama(dialogue) => dialogue.len(),
        }
    }

    /// Puts dialogues together, padded to the longest of them.
    ///
    /// # Errors
    /// [`LlmError::EmptyBatch`] without dialogues, [`LlmError::OtherFamily`] for those of another
    /// tokenizer, and those of [`CpmBeeDialogue::collate`].
    pub fn collate(
        tokenizer: &AnyTokenizer,
        dialogues: Vec<Self>,
    ) -> Result<DialogueBatch<AnyInput>, LlmError> {
        match tokenizer {
            AnyTokenizer::CpmBee(tokenizer) => {
                let own = dialogues.into_iter().map(|dialogue| match dialogue {
                    Self::CpmBee(dialogue) => Ok(dialogue),
                    Self::Llama(_) => Err(LlmError::OtherFamily {
                        expected: Family::CpmBee,
                        found: Family::Llama,
                    }),
                });
                let batch = CpmBeeDialogue::collate(tokenizer, own.collect::<Result<_, _>>()?)?;
                Ok(batch.map(AnyInput::CpmBee))
            }
            AnyTokenizer::Llama(_) => {
                let own = dialogues.into_iter().map(|dialogue| match dialogue {
                    Self::Llama(dialogue) => Ok(dialogue),
                    Self::CpmBee(_) => Err(LlmError::OtherFamily {
                        expected: Family::Llama,
                        found: Family::CpmBee,
                    }),
                });
                let batch = LlamaDialogue::collate(own.collect::<Result<_, _>>()?)?;
                Ok(batch.map(AnyInput::Llama))
            }
        }
    }
}
