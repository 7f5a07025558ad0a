//! From ids to tokens.
#![allow(
    non_snake_case,
    reason = "checkpoints call norms `LayerNorm`, and fields are named as there"
)]

use burn::{
    module::{Initializer, Module},
    nn::{Embedding, EmbeddingConfig},
    tensor::{Int, Tensor, TensorData, backend::Backend},
};
use mpm_core::{MpmBackend, nn::LayerNorm};

use super::{config::BertConfig, input::BertInput};
use crate::LlmError;

/// Standard deviation of fresh embeddings, `initializer_range` in `transformers`.
const INIT_STD: f64 = 0.02;

/// The sum of the embeddings of words, positions and parts, normalised.
#[derive(Module, Debug)]
pub struct BertEmbeddings<B: Backend> {
    /// `[vocab_size, hidden_size]`
    pub word_embeddings: Embedding<B>,
    /// `[max_position_embeddings, hidden_size]`
    pub position_embeddings: Embedding<B>,
    /// `[type_vocab_size, hidden_size]`
    pub token_type_embeddings: Embedding<B>,
    /// Norm of the sum.
    pub LayerNorm: LayerNorm<B>,
}

impl<B: Backend> BertEmbeddings<B> {
    pub(super) fn new(config: &BertConfig, device: &B::Device) -> Self {
        let width = config.hidden_size;
        let normal = Initializer::Normal {
            mean: 0.0,
            std: INIT_STD,
        };
        let table = |rows| {
            EmbeddingConfig::new(rows, width)
                .with_initializer(normal.clone())
                .init(device)
        };
        Self {
            word_embeddings: table(config.vocab_size),
            position_embeddings: table(config.max_position_embeddings),
            token_type_embeddings: table(config.type_vocab_size),
            LayerNorm: LayerNorm::new(width, config.layer_norm_eps, device),
        }
    }
}

impl<B: MpmBackend> BertEmbeddings<B> {
    /// # Shapes
    /// - output: `[batch, seq, hidden_size]`
    ///
    /// # Errors
    /// [`LlmError::EmptyBatch`], [`LlmError::TextTooLong`], [`LlmError::InputLength`] and
    /// [`LlmError::InputRange`] for an input that is not for this model.
    pub fn forward(&self, input: &BertInput) -> Result<Tensor<B, 3>, LlmError> {
        let rows = |table: &Embedding<B>| table.weight.shape()[0];
        input.check(
            rows(&self.word_embeddings),
            rows(&self.position_embeddings),
            rows(&self.token_type_embeddings),
        )?;
        let positions = self.position_embeddings.weight.val();
        let device = positions.device();
        let select = |table: &Embedding<B>, ids: &[i32]| {
            let shape = [input.batch, input.seq_len];
            let ids = TensorData::new(ids.to_vec(), shape);
            table.forward(Tensor::<B, 2, Int>::from_data(ids, &device))
        };
        let words = select(&self.word_embeddings, &input.ids);
        let types = select(&self.token_type_embeddings, &input.token_type_ids);
        let positions = positions.slice(0..input.seq_len).unsqueeze();
        Ok(self.LayerNorm.forward(words + types + positions))
    }
}
