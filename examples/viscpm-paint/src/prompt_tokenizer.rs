//! From a prompt to tokens.

use mpm_llm::{
    any::{AnyInput, AnyTokenizer},
    template::{TemplateTokenizer, TextBatch, TextTokens},
};

use crate::{
    PaintError, PromptTemplate,
    prompt_encoder::{PromptLimit, require_prompt},
};

/// What messages call a prompt.
pub(crate) const PROMPT: &str = "the prompt";
const NEGATIVE_PROMPT: &str = "the negative prompt";

/// Writes texts as the language model reads them.
#[derive(Clone, Debug)]
pub struct PromptTokenizer {
    /// From text to ids.
    pub tokenizer: AnyTokenizer,
    /// What stands around a text.
    pub template: PromptTemplate,
    /// The longest prompt in tokens, what stands around the text included.
    pub max_tokens: usize,
}

impl PromptTokenizer {
    /// Tokenizes texts, each with its name in messages.
    ///
    /// # Errors
    /// [`PaintError::PromptTooLong`]; [`PaintError::Llm`] without a text.
    pub(crate) fn tokenize(
        &self,
        texts: &[(&'static str, &str)],
    ) -> Result<TextBatch<AnyInput>, PaintError> {
        let plain: Vec<_> = texts.iter().map(|&(_, text)| text).collect();
        let batch = self.tokenizer.encode_texts(&self.template.parts, &plain)?;
        let limit = self.max_tokens;
        let mut lengths = texts.iter().zip(batch.texts.iter().map(TextTokens::len));
        match lengths.find(|&(_, tokens)| tokens > limit) {
            Some((&(what, _), tokens)) => Err(PaintError::PromptTooLong {
                what,
                tokens,
                limit,
            }),
            None => Ok(batch),
        }
    }

    /// Tokenizes a prompt and a negative prompt, which may be empty.
    ///
    /// # Errors
    /// [`PaintError::EmptyPrompt`] and [`PaintError::PromptTooLong`].
    pub(crate) fn tokenize_pair(
        &self,
        prompt: &str,
        negative: &str,
    ) -> Result<TextBatch<AnyInput>, PaintError> {
        require_prompt(prompt)?;
        self.tokenize(&[(PROMPT, prompt), (NEGATIVE_PROMPT, negative)])
    }
}

impl PromptLimit for PromptTokenizer {
    fn check(&self, prompt: &str, negative: &str) -> Result<(), PaintError> {
        self.tokenize_pair(prompt, negative).map(drop)
    }
}
