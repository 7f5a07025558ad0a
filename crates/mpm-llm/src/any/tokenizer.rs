//! What it takes to read and write text.

use std::path::Path;

use mpm_core::pretrained::{PretrainedError, PretrainedFolder};

use super::AnyLlmConfig;
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
    /// Reads the tokenizer of a model. `file` is what [`files`](Self::files) names first: CPM-Bee's
    /// vocabulary, or `tokenizer.json` with the other files of [`LlamaText::open`] beside it.
    ///
    /// # Errors
    /// [`PretrainedError`] names the file and what is missing or wrong, the vocabulary of another
    /// model, too.
    pub fn open(file: &Path, config: &AnyLlmConfig) -> Result<Self, PretrainedError> {
        match config {
            AnyLlmConfig::CpmBee(config) => {
                let tokenizer = open_vocabulary(file, config.vocab_size);
                Ok(Self::CpmBee(tokenizer.map_err(|error| match error {
                    LlmError::VocabularyIo { path, source } => PretrainedError::Io { path, source },
                    error => PretrainedError::Content {
                        path: file.to_path_buf(),
                        source: error.into(),
                    },
                })?))
            }
            AnyLlmConfig::Llama(config) => {
                let folder = match file.parent() {
                    Some(folder) if !folder.as_os_str().is_empty() => folder,
                    _ => Path::new("."),
                };
                let folder = PretrainedFolder::open(folder)?;
                Ok(Self::Llama(LlamaText::open(&folder, config.config())?))
            }
        }
    }

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
}

fn open_vocabulary(file: &Path, expected: usize) -> Result<CpmBeeTokenizer, LlmError> {
    let tokenizer = CpmBeeTokenizer::from_file(file)?;
    match tokenizer.vocab_size() {
        found if found == expected => Ok(tokenizer),
        found => Err(LlmError::OtherVocabulary { found, expected }),
    }
}
