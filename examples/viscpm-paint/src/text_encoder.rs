//! From a prompt to the language model's hidden states.
//!
//! Source: `VisCPMPaint.build_input` in VisCPM's `viscpm_paint.py` and `VLG_CPMBee.generate`.

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;
use mpm_llm::{
    cpm_bee::{CpmBee, CpmBeeInput},
    prompt::{Collator, EncodedPrompt},
};

use crate::{PaintError, PromptTokenizer, prompt_tokenizer::TokenizedPrompt};

/// The frozen language model, as far as painting needs it.
#[derive(Clone, Debug)]
pub struct TextEncoder<B: Backend> {
    /// CPM-Bee.
    pub llm: CpmBee<B>,
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
        let tokenize = |text: &&str| self.prompts.tokenize(text, "the prompt");
        let prompts: Result<Vec<_>, _> = texts.iter().map(tokenize).collect();
        self.hidden_states(prompts?)
    }

    /// The states of a prompt and a negative prompt, which may be empty, in one batch.
    ///
    /// # Errors
    /// [`PaintError::EmptyPrompt`] and [`PaintError::PromptTooLong`].
    pub fn encode_pair(&self, prompt: &str, negative: &str) -> Result<PromptStates<B>, PaintError> {
        let pair = self.prompts.tokenize_pair(prompt, negative)?;
        let hidden = self.hidden_states(pair.into())?;
        Ok(PromptStates {
            prompt: hidden.clone().narrow(0, 0, 1),
            negative: hidden.narrow(0, 1, 1),
        })
    }

    fn hidden_states(&self, prompts: Vec<TokenizedPrompt>) -> Result<Tensor<B, 3>, PaintError> {
        let read: Option<Vec<_>> = prompts.iter().map(TokenizedPrompt::read).collect();
        let encoded: Vec<_> = prompts.into_iter().map(|prompt| prompt.encoded).collect();
        let input = self.batch(&encoded)?;
        let size = [input.batch, input.seq_len];
        let embeddings = self.llm.embed(&input.ids, &input.sub_ids, size)?;
        let hidden = self.llm.hidden_states(embeddings, &input, |_, _| {})?;
        let Some(read) = read else {
            return Ok(hidden);
        };
        let rows = read.into_iter().enumerate();
        let rows = rows.map(|(row, tokens)| {
            let hidden = hidden.clone().narrow(0, row, 1);
            hidden.narrow(1, tokens.start, tokens.len())
        });
        Ok(Tensor::cat(rows.collect(), 0))
    }

    /// Pads prompts to the longest of them, as the reference does.
    fn batch(&self, prompts: &[EncodedPrompt]) -> Result<CpmBeeInput, PaintError> {
        let longest = prompts.iter().map(EncodedPrompt::len).max().unwrap_or(0);
        Ok(Collator::new(&self.prompts.tokenizer, longest)
            .collate(prompts)?
            .into())
    }
}
