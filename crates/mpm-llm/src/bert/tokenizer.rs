//! WordPiece as BERT's tokenizers in `transformers` apply it.

use mpm_core::pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder};
use tokenizers::{AddedToken, Tokenizer, models::ModelWrapper, normalizers::NormalizerWrapper};

use super::{
    config::BertConfig,
    input::BertInput,
    tokenizer_files::{SpecialTokens, TokenizerSettings, from_json, from_vocabulary, unreadable},
};
use crate::{
    LlmError,
    framed::{FramedTexts, FramedTokenizer, check_vocabulary},
};

const VOCABULARY_FILE: &str = "vocab.txt";
const TOKENIZER_FILE: &str = "tokenizer.json";
const SETTINGS_FILE: &str = "tokenizer_config.json";

/// From texts to ids.
///
/// Text is cleaned of control characters, spaces are put around Chinese characters, letters lose
/// their case and accents where the model was trained so, words are split at spaces and
/// punctuation and then cut into the longest pieces that the vocabulary has. The names of special
/// tokens in a text count as these tokens, as they do in `transformers`.
///
/// [`encode`](Self::encode) cuts off the end of a text that is longer than its model can read; what
/// is left has `[CLS]` before and `[SEP]` after it all the same. VisCPM's pipelines do not cut and
/// fail on such texts.
#[derive(Clone, Debug)]
pub struct BertTokenizer(FramedTokenizer);

/// Texts as a model reads them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BertEncoding {
    /// The batch.
    pub input: BertInput,
    /// How many tokens at the end of each text are not in it.
    pub tokens_cut: Vec<usize>,
}

impl BertTokenizer {
    /// Reads the tokenizer of a model folder: `vocab.txt`, which has a token a line, or
    /// `tokenizer.json`. What `tokenizer_config.json` says about case, accents, Chinese characters
    /// and the names of special tokens wins.
    ///
    /// # Errors
    /// [`PretrainedError`] names the file and what is missing or wrong.
    pub fn open(folder: &PretrainedFolder, config: &BertConfig) -> Result<Self, PretrainedError> {
        config
            .validate()
            .map_err(|error| folder.unusable(CONFIG_FILE, error))?;
        let settings: TokenizerSettings = folder.json(SETTINGS_FILE)?.unwrap_or_default();
        let (file, tokenizer) = if let Some(bytes) = folder.bytes(VOCABULARY_FILE)? {
            (VOCABULARY_FILE, from_vocabulary(&bytes, &settings))
        } else if let Some(bytes) = folder.bytes(TOKENIZER_FILE)? {
            (TOKENIZER_FILE, from_json(&bytes))
        } else {
            return Err(folder.missing(&[VOCABULARY_FILE, TOKENIZER_FILE]));
        };
        tokenizer
            .and_then(|tokenizer| Self::new(tokenizer, &settings, config))
            .map_err(|error| folder.unusable(file, error))
    }

    fn new(
        mut tokenizer: Tokenizer,
        settings: &TokenizerSettings,
        config: &BertConfig,
    ) -> Result<Self, LlmError> {
        let no_bert = |reason: String| LlmError::BertTokenizer { reason };
        if !matches!(tokenizer.get_model(), ModelWrapper::WordPiece(_)) {
            return Err(no_bert("its model is not `WordPiece`".to_owned()));
        }
        let normalizer = match tokenizer.get_normalizer() {
            Some(NormalizerWrapper::BertNormalizer(normalizer)) => settings.apply(*normalizer)?,
            _ => return Err(no_bert("its normalizer is not `BertNormalizer`".to_owned())),
        };
        check_vocabulary(&tokenizer, config.vocab_size)?;
        let SpecialTokens {
            unk,
            cls,
            sep,
            pad,
            mask,
        } = settings.special_tokens();
        let id = |name: &str| {
            let id = tokenizer.token_to_id(name);
            id.ok_or_else(|| no_bert(format!("the vocabulary lacks the special token `{name}`")))
        };
        id(&unk)?;
        let (cls_id, sep_id, pad_id) = (id(&cls)?, id(&sep)?, id(&pad)?);
        // Not every vocabulary has `[MASK]`, which is for training; what is absent would get a new
        // id, beyond the model's.
        let special: Vec<AddedToken> = [unk, cls, sep, pad, mask]
            .into_iter()
            .filter(|name| tokenizer.token_to_id(name).is_some())
            .map(|name| AddedToken::from(name, true))
            .collect();
        tokenizer
            .with_normalizer(Some(normalizer))
            .map_err(unreadable)?;
        tokenizer.add_special_tokens(special).map_err(unreadable)?;
        Ok(Self(FramedTokenizer {
            tokenizer,
            start: cls_id as i32,
            end: sep_id as i32,
            pad: pad_id as i32,
            max_tokens: config.max_position_embeddings,
        }))
    }

    /// Encodes texts as one batch.
    ///
    /// # Errors
    /// [`LlmError::Tokenization`] when the `tokenizers` crate fails.
    pub fn encode(&self, texts: &[&str]) -> Result<BertEncoding, LlmError> {
        let FramedTexts { rows, tokens_cut } = self.0.encode(texts)?;
        Ok(BertEncoding {
            input: BertInput::pad(&rows, self.0.pad),
            tokens_cut,
        })
    }

    /// All of a text, in as many inputs as it takes. Those that follow each other share `overlap`
    /// tokens, but half of their tokens at most.
    pub(super) fn windows(&self, text: &str, overlap: usize) -> Result<Vec<BertInput>, LlmError> {
        let windows = self.0.windows(text, overlap)?.into_iter();
        Ok(windows
            .map(|window| BertInput::pad(&[window], self.0.pad))
            .collect())
    }
}
