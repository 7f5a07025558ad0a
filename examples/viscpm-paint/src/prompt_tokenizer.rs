//! From a prompt to tokens.

use std::ops::Range;

use mpm_llm::{
    prompt::{EncodedPrompt, PromptEncoder},
    tokenizer::CpmBeeTokenizer,
};

use crate::{
    PaintError, PromptPart, PromptTemplate,
    prompt_encoder::{PromptLimit, require_prompt},
};

/// Writes texts as the language model reads them.
#[derive(Clone, Debug)]
pub struct PromptTokenizer {
    /// From text to ids.
    pub tokenizer: CpmBeeTokenizer,
    /// What stands around a text.
    pub template: PromptTemplate,
    /// The longest prompt in tokens, its keys included.
    pub max_tokens: usize,
}

/// A text as the language model reads it.
#[derive(Clone, Debug)]
pub(crate) struct TokenizedPrompt {
    pub encoded: EncodedPrompt,
    /// Where the tokens begin that the UNet reads; `None` if it reads all and the padding.
    start: Option<usize>,
}

impl TokenizedPrompt {
    /// The tokens that the UNet reads; `None` for all and the padding.
    pub fn read(&self) -> Option<Range<usize>> {
        self.start.map(|start| start..self.encoded.len())
    }
}

impl PromptTokenizer {
    /// Tokenizes a text.
    ///
    /// # Errors
    /// [`PaintError::PromptTooLong`] names `what`.
    pub(crate) fn tokenize(
        &self,
        text: &str,
        what: &'static str,
    ) -> Result<TokenizedPrompt, PaintError> {
        let encoder = PromptEncoder::new(&self.tokenizer);
        let encoded = encoder.encode(&self.template.fill(text))?;
        let (tokens, limit) = (encoded.len(), self.max_tokens);
        if tokens > limit {
            return Err(PaintError::PromptTooLong {
                what,
                tokens,
                limit,
            });
        }
        let start = match self.template.states {
            PromptPart::All => None,
            PromptPart::BehindText => {
                Some(encoder.encode(&self.template.fill_up_to_text(text))?.len())
            }
        };
        Ok(TokenizedPrompt { encoded, start })
    }

    /// Tokenizes a prompt and a negative prompt, which may be empty.
    ///
    /// # Errors
    /// [`PaintError::EmptyPrompt`] and [`PaintError::PromptTooLong`].
    pub(crate) fn tokenize_pair(
        &self,
        prompt: &str,
        negative: &str,
    ) -> Result<[TokenizedPrompt; 2], PaintError> {
        require_prompt(prompt)?;
        Ok([
            self.tokenize(prompt, "the prompt")?,
            self.tokenize(negative, "the negative prompt")?,
        ])
    }
}

impl PromptLimit for PromptTokenizer {
    fn check(&self, prompt: &str, negative: &str) -> Result<(), PaintError> {
        self.tokenize_pair(prompt, negative).map(drop)
    }
}
