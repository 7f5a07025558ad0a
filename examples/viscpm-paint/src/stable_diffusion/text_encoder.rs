//! From a prompt to the states of CLIP's text encoder.
//!
//! Source: `StableDiffusionPipeline.encode_prompt` of diffusers.

use burn::tensor::backend::Backend;
use mpm_core::MpmBackend;
use mpm_llm::clip::ClipText;

use super::prompt::ClipPrompts;
use crate::{PaintError, PromptStates};

/// The text encoder of a Stable Diffusion.
#[derive(Clone, Debug)]
pub struct ClipPromptEncoder<B: Backend> {
    /// CLIP's text transformer. Stable Diffusion 2's lacks the last layer of its training, so that
    /// the last states are what the UNet reads for both.
    pub text_model: ClipText<B>,
    /// From text to its tokens.
    pub prompts: ClipPrompts,
}

impl<B: MpmBackend> ClipPromptEncoder<B> {
    /// The states of a prompt and a negative prompt, which may be empty, in one batch.
    ///
    /// # Shapes
    /// - both: `[1, max_position_embeddings, hidden_size]`, those of the padding included
    ///
    /// # Errors
    /// [`PaintError::EmptyPrompt`] and [`PaintError::PromptTooLong`].
    pub fn encode_pair(&self, prompt: &str, negative: &str) -> Result<PromptStates<B>, PaintError> {
        let input = self.prompts.tokenize_pair(prompt, negative)?;
        let hidden = self.text_model.forward(&input)?.last_hidden_state;
        Ok(PromptStates {
            prompt: hidden.clone().narrow(0, 0, 1),
            negative: hidden.narrow(0, 1, 1),
        })
    }
}
