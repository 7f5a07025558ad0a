//! The models that read prompts.

use burn::tensor::backend::Backend;
use mpm_core::MpmBackend;

use crate::{ClipPromptEncoder, PaintError, PromptStates, TextEncoder};

/// Whatever reads prompts for a UNet.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "there is one for a model, and it is moved when that is loaded"
)]
pub enum PromptEncoder<B: Backend> {
    /// VisCPM-Paint's language model, or another one in its place.
    Llm(TextEncoder<B>),
    /// Stable Diffusion's text encoder.
    Clip(ClipPromptEncoder<B>),
}

impl<B: Backend> From<TextEncoder<B>> for PromptEncoder<B> {
    fn from(encoder: TextEncoder<B>) -> Self {
        Self::Llm(encoder)
    }
}

impl<B: Backend> From<ClipPromptEncoder<B>> for PromptEncoder<B> {
    fn from(encoder: ClipPromptEncoder<B>) -> Self {
        Self::Clip(encoder)
    }
}

impl<B: MpmBackend> PromptEncoder<B> {
    /// The states of a prompt and a negative prompt, which may be empty, in one batch.
    ///
    /// # Errors
    /// [`PaintError::EmptyPrompt`] and [`PaintError::PromptTooLong`].
    pub fn encode_pair(&self, prompt: &str, negative: &str) -> Result<PromptStates<B>, PaintError> {
        match self {
            Self::Llm(encoder) => encoder.encode_pair(prompt, negative),
            Self::Clip(encoder) => encoder.encode_pair(prompt, negative),
        }
    }
}

/// What can tell, without a weight, whether a prompt can be read.
pub trait PromptLimit {
    /// Tells it of a prompt and a negative prompt, which may be empty.
    ///
    /// # Errors
    /// [`PaintError::EmptyPrompt`] and [`PaintError::PromptTooLong`].
    fn check(&self, prompt: &str, negative: &str) -> Result<(), PaintError>;
}

/// Refuses a prompt that says nothing.
pub(crate) fn require_prompt(prompt: &str) -> Result<(), PaintError> {
    match prompt.trim().is_empty() {
        true => Err(PaintError::EmptyPrompt),
        false => Ok(()),
    }
}
