//! Byte pair encoding as CLIP's tokenizers in `transformers` apply it.

use mpm_core::pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder};
use serde::{Deserialize, de::IgnoredAny};
use tokenizers::{Tokenizer, models::ModelWrapper};

use super::{
    config::ClipTextConfig,
    end_of_text::EndOfText,
    input::ClipTextInput,
    vocabulary::{self, VOCABULARY_FILE},
};
use crate::{
    LlmError,
    framed::{FramedTexts, FramedTokenizer, check_vocabulary},
    special_token::SpecialToken,
};

const TOKENIZER_FILE: &str = "tokenizer.json";
/// What stands in its place in older folders.
const BOTH_FILES: &str = "vocab.json with merges.txt";
const SETTINGS_FILE: &str = "tokenizer_config.json";
const SPECIAL_TOKENS_FILE: &str = "special_tokens_map.json";

/// The names of the tokens around a text as OpenAI published them.
pub(super) const START: &str = "<|startoftext|>";
pub(super) const END: &str = "<|endoftext|>";

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
    /// Newer versions of `transformers` list all added tokens here.
    added_tokens_decoder: Option<IgnoredAny>,
}

impl Settings {
    /// Reads a folder's settings. Without the list of added tokens, `special_tokens_map.json` has
    /// the last word: Stable Diffusion 2 names another token for padding there.
    fn read(folder: &PretrainedFolder) -> Result<Self, PretrainedError> {
        let settings: Self = folder.json(SETTINGS_FILE)?.unwrap_or_default();
        if settings.added_tokens_decoder.is_some() {
            return Ok(settings);
        }
        let map: Self = folder.json(SPECIAL_TOKENS_FILE)?.unwrap_or_default();
        Ok(Self {
            bos_token: map.bos_token.or(settings.bos_token),
            eos_token: map.eos_token.or(settings.eos_token),
            pad_token: map.pad_token.or(settings.pad_token),
            ..settings
        })
    }
}

impl ClipTokenizer {
    /// Reads `tokenizer.json` of a model folder, or `vocab.json` and `merges.txt` where that is
    /// absent, and the names of the special tokens from `tokenizer_config.json` and
    /// `special_tokens_map.json`. Without a name for padding, it is the token after a text.
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
        let settings = Settings::read(folder)?;
        let (name, bytes) = match folder.bytes(TOKENIZER_FILE)? {
            Some(bytes) => (TOKENIZER_FILE, bytes),
            None => match vocabulary::read(folder)? {
                Some(bytes) => (VOCABULARY_FILE, bytes),
                None => return Err(folder.missing(&[TOKENIZER_FILE, BOTH_FILES])),
            },
        };
        Self::new(&bytes, settings, config).map_err(|error| folder.unusable(name, error))
    }

    /// The same with another token for padding.
    #[must_use]
    pub fn with_padding(mut self, id: i32) -> Self {
        self.0.pad = id;
        self
    }

    /// The most tokens of a text, those around it included.
    pub fn max_tokens(&self) -> usize {
        self.0.max_tokens
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

    /// As [`encode`](Self::encode), but every text is filled up to the most tokens that the model
    /// reads: painters read the states of the padding, too.
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    pub fn encode_filled(&self, texts: &[&str]) -> Result<ClipTextEncoding, LlmError> {
        let FramedTexts {
            mut rows,
            tokens_cut,
        } = self.0.encode(texts)?;
        for row in &mut rows {
            row.resize(self.0.max_tokens, self.0.pad);
        }
        Ok(ClipTextEncoding {
            input: ClipTextInput::pad(&rows, self.0.pad),
            tokens_cut,
        })
    }
}
