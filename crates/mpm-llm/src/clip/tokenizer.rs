//! Byte pair encoding as CLIP's tokenizers in `transformers` apply it.

use mpm_core::pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder};
use serde::Deserialize;
use tokenizers::{Tokenizer, models::ModelWrapper};

use super::{config::ClipTextConfig, end_of_text::EndOfText, input::ClipTextInput};
use crate::{
    LlmError,
    framed::{FramedTexts, FramedTokenizer, check_vocabulary},
    special_token::SpecialToken,
};

const TOKENIZER_FILE: &str = "tokenizer.json";
const SETTINGS_FILE: &str = "tokenizer_config.json";

/// The names of the tokens around a text as OpenAI published them.
const START: &str = "<|startoftext|>";
const END: &str = "<|endoftext|>";

/// From texts to ids.
///
/// A text that is longer than its model can read loses its end; what is left has a token before and
/// one after it all the same.
#[derive(Clone, Debug)]
pub struct ClipTokenizer(FramedTokenizer);

/// Texts as ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClipTextEncoding {
    /// What the model reads.
    pub input: ClipTextInput,
    /// How many tokens at the end of each text are not in it.
    pub tokens_cut: Vec<usize>,
}

/// What `tokenizer_config.json` says; what it leaves out is as OpenAI published it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
struct Settings {
    bos_token: Option<SpecialToken>,
    eos_token: Option<SpecialToken>,
    pad_token: Option<SpecialToken>,
}

impl ClipTokenizer {
    /// Reads `tokenizer.json` of a model folder, and the names of the special tokens from
    /// `tokenizer_config.json`. Without a name for padding, it is the token after a text.
    ///
    /// # Errors
    /// [`PretrainedError`] names the file and what is missing or wrong.
    pub fn open(
        folder: &PretrainedFolder,
        config: &ClipTextConfig,
    ) -> Result<Self, PretrainedError> {
        config
            .validate()
            .map_err(|error| folder.unusable(CONFIG_FILE, error))?;
        let settings: Settings = folder.json(SETTINGS_FILE)?.unwrap_or_default();
        let bytes = folder
            .bytes(TOKENIZER_FILE)?
            .ok_or_else(|| folder.missing(&[TOKENIZER_FILE]))?;
        Self::new(&bytes, settings, config).map_err(|error| folder.unusable(TOKENIZER_FILE, error))
    }

    fn new(bytes: &[u8], settings: Settings, config: &ClipTextConfig) -> Result<Self, LlmError> {
        let no_clip = |reason: String| LlmError::ClipTokenizer { reason };
        let unreadable = |source| LlmError::TokenizerFile {
            model: "CLIP",
            source,
        };
        let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(unreadable)?;
        // The frame and the length are ours: a file may ask for padding to its own length.
        tokenizer
            .with_padding(None)
            .with_truncation(None)
            .map_err(unreadable)?;
        if !matches!(tokenizer.get_model(), ModelWrapper::BPE(_)) {
            return Err(no_clip("its model is not `BPE`".to_owned()));
        }
        check_vocabulary(&tokenizer, config.vocab_size)?;
        let id = |name: &str| match tokenizer.token_to_id(name) {
            Some(id) => Ok(id as i32),
            None => Err(no_clip(format!("it lacks the special token `{name}`"))),
        };
        let name = |token: Option<SpecialToken>, published: &str| {
            token.map_or_else(|| published.to_owned(), SpecialToken::into_name)
        };
        let end_name = name(settings.eos_token, END);
        let end = id(&end_name)?;
        let start = id(&name(settings.bos_token, START))?;
        let pad = id(&name(settings.pad_token, &end_name))?;
        if let EndOfText::Token(token) = config.end_of_text()
            && i32::try_from(token) != Ok(end)
        {
            return Err(no_clip(format!(
                "its texts end with {end} (`{end_name}`), but the model's with {token} \
                 (`eos_token_id`)"
            )));
        }
        Ok(Self(FramedTokenizer {
            tokenizer,
            start,
            end,
            pad,
            max_tokens: config.max_position_embeddings,
        }))
    }

    /// Encodes texts as one batch.
    ///
    /// # Errors
    /// [`LlmError::Tokenization`] when the `tokenizers` crate fails.
    pub fn encode(&self, texts: &[&str]) -> Result<ClipTextEncoding, LlmError> {
        let FramedTexts { rows, tokens_cut } = self.0.encode(texts)?;
        Ok(ClipTextEncoding {
            input: ClipTextInput::pad(&rows, self.0.pad),
            tokens_cut,
        })
    }
}
