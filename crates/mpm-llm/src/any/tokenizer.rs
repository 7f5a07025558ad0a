//! What it takes to read and write text.

use crate::{
    LlmError,
    llama::LlamaText,
    tokenizer::{CpmBeeTokenizer, escape},
};

/// CPM-Bee's vocabulary, a token a line.
const VOCABULARY_FILE: &str = "vocab.txt";

/// The tokenizer of an [`AnyLlm`](super::AnyLlm), with all that its conversations need.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of it")]
pub enum AnyTokenizer {
    /// CPM-Bee's.
    CpmBee(CpmBeeTokenizer),
    /// That of a model of the LLaMA family.
    Llama(LlamaText),
}

impl AnyTokenizer {
    /// The ids of words within a text.
    ///
    /// # Errors
    /// Those of the tokenizer.
    pub fn words(&self, text: &str) -> Result<Vec<i32>, LlmError> {
        match self {
            Self::CpmBee(tokenizer) => Ok(tokenizer.encode(&escape(text))?.ids),
            Self::Llama(own) => own.tokenizer.encode_rendered(text),
        }
    }

    /// The files that hold it, with their contents; the first one is what a configuration names.
    ///
    /// # Errors
    /// Those of [`LlamaText::files`].
    pub fn files(&self) -> Result<Vec<(&'static str, Vec<u8>)>, LlmError> {
        match self {
            Self::CpmBee(tokenizer) => {
                let vocabulary = tokenizer.vocabulary().to_file_content();
                Ok(vec![(VOCABULARY_FILE, vocabulary.into_bytes())])
            }
            Self::Llama(text) => text.files(),
        }
    }

    /// CPM-Bee's tokenizer; `None` for another model.
    pub fn cpm_bee(&self) -> Option<&CpmBeeTokenizer> {
        match self {
            Self::CpmBee(tokenizer) => Some(tokenizer),
            Self::Llama(_) => None,
        }
    }
}
