//! The family as a [`LanguageModel`].

use burn::tensor::Tensor;
use mpm_core::MpmBackend;

use super::{input::LlamaInput, model::Llama};
use crate::{LanguageModel, LlmError};

/// The token of what nobody sees: any will do.
const PADDING: i32 = 0;

/// Tokens of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LlamaBatch {
    /// The ids, `[batch, seq]`.
    pub ids: Vec<i32>,
    /// Their places.
    pub input: LlamaInput,
}

impl LlamaBatch {
    /// Whole rows of tokens, padded on the right to the longest of them.
    pub(super) fn right_padded(rows: Vec<Vec<i32>>) -> Result<Self, LlmError> {
        let seq_len = rows.iter().map(Vec::len).max();
        let seq_len = seq_len.ok_or(LlmError::EmptyBatch)?;
        let (mut ids, mut seen) = (Vec::new(), Vec::new());
        for mut row in rows {
            let mut seen_of_row = vec![true; row.len()];
            seen_of_row.resize(seq_len, false);
            seen.push(seen_of_row);
            row.resize(seq_len, PADDING);
            ids.extend(row);
        }
        Ok(Self {
            ids,
            input: LlamaInput::padded(&seen)?,
        })
    }
}

impl<B: MpmBackend> LanguageModel<B> for Llama<B> {
    type Input = LlamaBatch;

    fn d_model(&self) -> usize {
        self.config().hidden_size
    }

    fn device(&self) -> B::Device {
        Llama::device(self)
    }

    fn embed_tokens(&self, ids: &[i32], shape: [usize; 2]) -> Result<Tensor<B, 3>, LlmError> {
        self.embed(ids, shape)
    }

    fn embed_input(&self, batch: &LlamaBatch) -> Result<Tensor<B, 3>, LlmError> {
        self.embed(&batch.ids, [batch.input.batch, batch.input.seq_len])
    }

    fn states(
        &self,
        embeddings: Tensor<B, 3>,
        batch: &LlamaBatch,
        observe: &mut dyn FnMut(usize, &Tensor<B, 3>),
    ) -> Result<Tensor<B, 3>, LlmError> {
        self.hidden_states(embeddings, &batch.input, observe)
    }

    fn next_token(
        &self,
        states: Tensor<B, 2>,
        _batch: &LlamaBatch,
    ) -> Result<Tensor<B, 2>, LlmError> {
        Ok(self.logits(states.unsqueeze_dim(0)).squeeze_dim(0))
    }
}
