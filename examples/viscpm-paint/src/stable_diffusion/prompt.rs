//! From a prompt to CLIP's tokens.

use mpm_llm::clip::{ClipTextInput, ClipTokenizer};

use crate::{
    PaintError,
    prompt_encoder::{PromptLimit, require_prompt},
};

/// Writes prompts as the text encoder reads them: filled up to the most tokens that it can read.
#[derive(Clone, Debug)]
pub struct ClipPrompts {
    /// From text to ids.
    pub tokenizer: ClipTokenizer,
}

impl ClipPrompts {
    /// Tokenizes a prompt and a negative prompt, which may be empty.
    pub(super) fn tokenize_pair(
        &self,
        prompt: &str,
        negative: &str,
    ) -> Result<ClipTextInput, PaintError> {
        require_prompt(prompt)?;
        let encoding = self.tokenizer.encode_filled(&[prompt, negative])?;
        // The first and the last token are none of the text's.
        let limit = self.tokenizer.max_tokens() - 2;
        for (what, &cut) in ["the prompt", "the negative prompt"]
            .into_iter()
            .zip(&encoding.tokens_cut)
        {
            if cut > 0 {
                return Err(PaintError::PromptTooLong {
                    what,
                    tokens: limit + cut,
                    limit,
                });
            }
        }
        Ok(encoding.input)
    }
}

impl PromptLimit for ClipPrompts {
    fn check(&self, prompt: &str, negative: &str) -> Result<(), PaintError> {
        self.tokenize_pair(prompt, negative).map(drop)
    }
}
