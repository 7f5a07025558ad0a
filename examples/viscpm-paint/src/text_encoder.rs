//! From a prompt to the language model's hidden states.
//!
//! Source: `VisCPMPaint.build_input` in VisCPM's `viscpm_paint.py` and `VLG_CPMBee.generate`.

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;
use mpm_llm::{
    LanguageModel,
    any::{AnyInput, AnyLlm},
    template::TextBatch,
};

use crate::{PaintError, PromptPart, PromptTokenizer, prompt_tokenizer::PROMPT};

/// The frozen language model, as far as painting needs it.
#[derive(Clone, Debug)]
pub struct TextEncoder<B: Backend> {
    /// The language model, CPM-Bee in VisCPM-Paint.
    pub llm: AnyLlm<B>,
    /// From text to its tokens.
    pub prompts: PromptTokenizer,
}

/// What the language model makes of a prompt and of what to stay away from.
#[derive(Clone, Debug)]
pub struct PromptStates<B: Backend> {
    /// `[1, seq, d_llm]`
    pub prompt: Tensor<B, 3>,
    /// `[1, seq, d_llm]`
    pub negative: Tensor<B, 3>,
}

impl<B: MpmBackend> TextEncoder<B> {
    /// The last hidden states of texts.
    ///
    /// # Shapes
    /// - output: `[texts, seq, d_llm]`, `seq` is the longest text's, or the number of tokens
    ///   behind the text where the template reads these only
    ///
    /// # Errors
    /// [`PaintError::PromptTooLong`]; [`PaintError::Llm`] without a text.
    pub fn encode(&self, texts: &[&str]) -> Result<Tensor<B, 3>, PaintError> {
        let named: Vec<_> = texts.iter().map(|&text| (PROMPT, text)).collect();
        self.hidden_states(&self.prompts.tokenize(&named)?)
    }

    /// The states of a prompt and a negative prompt, which may be empty, in one batch.
    ///
    /// # Errors
    /// [`PaintError::EmptyPrompt`] and [`PaintError::PromptTooLong`].
    pub fn encode_pair(&self, prompt: &str, negative: &str) -> Result<PromptStates<B>, PaintError> {
        let pair = self.prompts.tokenize_pair(prompt, negative)?;
        let hidden = self.hidden_states(&pair)?;
        Ok(PromptStates {
            prompt: hidden.clone().narrow(0, 0, 1),
            negative: hidden.narrow(0, 1, 1),
        })
    }

    fn hidden_states(&self, batch: &TextBatch<AnyInput>) -> Result<Tensor<B, 3>, PaintError> {
        let embeddings = self.llm.embed_input(&batch.input)?;
        let hidden = self.llm.states(embeddings, &batch.input, &mut |_, _| {})?;
        match self.prompts.template.states {
            PromptPart::All => Ok(hidden),
            PromptPart::BehindText => {
                let rows = batch.texts.iter().enumerate().map(|(row, text)| {
                    let hidden = hidden.clone().narrow(0, row, 1);
                    hidden.narrow(1, text.behind.start, text.behind.len())
                });
                Ok(Tensor::cat(rows.collect(), 0))
            }
        }
    }
}
