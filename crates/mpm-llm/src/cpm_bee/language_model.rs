//! CPM-Bee as a [`LanguageModel`].

use burn::tensor::Tensor;
use mpm_core::MpmBackend;

use super::{input::CpmBeeInput, model::CpmBee};
use crate::{LanguageModel, LlmError};

impl<B: MpmBackend> LanguageModel<B> for CpmBee<B> {
    type Input = CpmBeeInput;

    fn d_model(&self) -> usize {
        self.config().dim_model
    }

    fn device(&self) -> B::Device {
        CpmBee::device(self)
    }

    fn embed_tokens(&self, ids: &[i32], shape: [usize; 2]) -> Result<Tensor<B, 3>, LlmError> {
        self.embed(ids, &vec![0; ids.len()], shape)
    }

    fn embed_input(&self, input: &CpmBeeInput) -> Result<Tensor<B, 3>, LlmError> {
        self.embed(&input.ids, &input.sub_ids, [input.batch, input.seq_len])
    }

    fn states(
        &self,
        embeddings: Tensor<B, 3>,
        input: &CpmBeeInput,
        observe: &mut dyn FnMut(usize, &Tensor<B, 3>),
    ) -> Result<Tensor<B, 3>, LlmError> {
        self.hidden_states(embeddings, input, observe)
    }

    fn next_token(
        &self,
        states: Tensor<B, 2>,
        input: &CpmBeeInput,
    ) -> Result<Tensor<B, 2>, LlmError> {
        let ext_table = self.embed_ext_table(&input.ext_table_ids, &input.ext_table_sub)?;
        let logits = self.logits(states.unsqueeze_dim(0), ext_table);
        Ok(logits.squeeze_dim(0))
    }
}
