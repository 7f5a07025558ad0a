//! The half of a studio that needs the language model.

use burn::tensor::backend::Backend;
use mpm_core::MpmBackend;
use mpm_llm::bert::{PromptClassifier, PromptRefusal};

use crate::{PaintError, PromptEncoder, PromptStates};

/// Checks prompts and reads them.
#[derive(Clone, Debug)]
pub struct PromptReader<B: Backend> {
    /// The language model, or Stable Diffusion's text encoder.
    pub text_encoder: PromptEncoder<B>,
    /// What refuses prompts, if anything.
    pub check: Option<PromptClassifier<B>>,
}

/// What became of a prompt.
#[derive(Clone, Debug)]
pub enum Reading<B: Backend> {
    /// It can be painted.
    Read(PromptStates<B>),
    /// It may not, and why.
    Refused(PromptRefusal),
}

impl<B: MpmBackend> PromptReader<B> {
    /// Checks and reads a prompt. The negative prompt, which says what is not to be seen, is read
    /// only.
    ///
    /// # Errors
    /// [`PaintError::EmptyPrompt`] and [`PaintError::PromptTooLong`]; [`PaintError::Llm`] when the
    /// check fails.
    pub fn read(&self, prompt: &str, negative: &str) -> Result<Reading<B>, PaintError> {
        if let Some(check) = &self.check
            && let Some(refusal) = check.check(prompt)?.refusal()
        {
            return Ok(Reading::Refused(refusal.clone()));
        }
        let states = self.text_encoder.encode_pair(prompt, negative)?;
        Ok(Reading::Read(states))
    }
}
