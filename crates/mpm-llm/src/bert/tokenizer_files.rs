//! The files from which a BERT tokenizer is read.

use serde::Deserialize;
use tokenizers::{
    Tokenizer, models::wordpiece::WordPiece, normalizers::BertNormalizer,
    pre_tokenizers::bert::BertPreTokenizer,
};

use crate::{LlmError, special_token::SpecialToken};

/// What `tokenizer_config.json` says; what it leaves out is as the tokenizer's file has it, or as
/// BERT was published.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TokenizerSettings {
    do_lower_case: Option<bool>,
    do_basic_tokenize: Option<bool>,
    tokenize_chinese_chars: Option<bool>,
    strip_accents: Option<bool>,
    unk_token: Option<SpecialToken>,
    cls_token: Option<SpecialToken>,
    sep_token: Option<SpecialToken>,
    pad_token: Option<SpecialToken>,
    mask_token: Option<SpecialToken>,
}

/// The names of the tokens that are no part of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SpecialTokens {
    /// Stands for words that the vocabulary lacks.
    pub unk: String,
    /// Before a text.
    pub cls: String,
    /// After a text.
    pub sep: String,
    /// Fills up shorter texts.
    pub pad: String,
    /// Hides words in training.
    pub mask: String,
}

impl TokenizerSettings {
    pub(super) fn special_tokens(&self) -> SpecialTokens {
        let name = |token: &Option<SpecialToken>, published: &str| match token {
            Some(token) => token.clone().into_name(),
            None => published.to_owned(),
        };
        SpecialTokens {
            unk: name(&self.unk_token, "[UNK]"),
            cls: name(&self.cls_token, "[CLS]"),
            sep: name(&self.sep_token, "[SEP]"),
            pad: name(&self.pad_token, "[PAD]"),
            mask: name(&self.mask_token, "[MASK]"),
        }
    }

    /// The normalizer with these settings in place of its own.
    pub(super) fn apply(&self, normalizer: BertNormalizer) -> Result<BertNormalizer, LlmError> {
        if self.do_basic_tokenize == Some(false) {
            return Err(LlmError::BertTokenizer {
                reason: "`do_basic_tokenize` is false in tokenizer_config.json, which is not \
                         supported"
                    .to_owned(),
            });
        }
        Ok(BertNormalizer::new(
            normalizer.clean_text,
            self.tokenize_chinese_chars
                .unwrap_or(normalizer.handle_chinese_chars),
            self.strip_accents.or(normalizer.strip_accents),
            self.do_lower_case.unwrap_or(normalizer.lowercase),
        ))
    }
}

/// A tokenizer around the vocabulary of `vocab.txt`, where a token's line is its id.
pub(super) fn from_vocabulary(
    bytes: &[u8],
    settings: &TokenizerSettings,
) -> Result<Tokenizer, LlmError> {
    let model = WordPiece::builder()
        .vocab(WordPiece::read_bytes(bytes).map_err(unreadable)?)
        .unk_token(settings.special_tokens().unk)
        .build()
        .map_err(unreadable)?;
    let mut tokenizer = Tokenizer::new(model);
    tokenizer
        .with_normalizer(Some(BertNormalizer::default()))
        .map_err(unreadable)?
        .with_pre_tokenizer(Some(BertPreTokenizer));
    Ok(tokenizer)
}

/// The tokenizer of `tokenizer.json`, without what it says about lengths.
pub(super) fn from_json(bytes: &[u8]) -> Result<Tokenizer, LlmError> {
    let mut tokenizer = Tokenizer::from_bytes(bytes).map_err(unreadable)?;
    tokenizer
        .with_padding(None)
        .with_truncation(None)
        .map_err(unreadable)?;
    Ok(tokenizer)
}

/// The error for a file of which the `tokenizers` crate makes no tokenizer.
pub(super) fn unreadable(source: tokenizers::Error) -> LlmError {
    LlmError::TokenizerFile {
        model: "BERT",
        source,
    }
}
