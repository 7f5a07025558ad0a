//! From ids to tokens.

use burn::{
    module::{Initializer, Module},
    nn::{Embedding, EmbeddingConfig},
    tensor::{Int, Tensor, TensorData, backend::Backend},
};

use super::{config::ClipTextConfig, input::ClipTextInput};
use crate::LlmError;

/// Standard deviation of fresh embeddings, as `transformers` draws them.
const INIT_STD: f64 = 0.02;

/// The sum of the embeddings of words and positions.
#[derive(Module, Debug)]
pub struct ClipTextEmbeddings<B: Backend> {
    /// `[vocab_size, hidden_size]`
    pub token_embedding: Embedding<B>,
    /// `[max_position_embeddings, hidden_size]`
    pub position_embedding: Embedding<B>,
}

impl<B: Backend> ClipTextEmbeddings<B> {
    pub(super) fn new(config: &ClipTextConfig, device: &B::Device) -> Self {
        let normal = Initializer::Normal {
            mean: 0.0,
            std: INIT_STD,
        };
        let table = |rows| {
            EmbeddingConfig::new(rows, config.hidden_size)
                .with_initializer(normal.clone())
                .init(device)
        };
        Self {
            token_embedding: table(config.vocab_size),
            position_embedding: table(config.max_position_embeddings),
        }
    }

    /// # Shapes
    /// - output: `[batch, seq, hidden_size]`
    ///
    /// # Errors
    /// [`LlmError::EmptyBatch`], [`LlmError::TextTooLong`], [`LlmError::InputLength`] and
    /// [`LlmError::InputRange`] for an input that is not for this model.
    pub fn forward(&self, input: &ClipTextInput) -> Result<Tensor<B, 3>, LlmError> {
        let rows = |table: &Embedding<B>| table.weight.shape()[0];
        input.check(rows(&self.token_embedding), rows(&self.position_embedding))?;
        let positions = self.position_embedding.weight.val();
        let ids = TensorData::new(input.ids.clone(), [input.batch, input.seq_len]);
        let ids = Tensor::<B, 2, Int>::from_data(ids, &positions.device());
        let positions = positions.slice(0..input.seq_len).unsqueeze();
        Ok(self.token_embedding.forward(ids) + positions)
    }
}
