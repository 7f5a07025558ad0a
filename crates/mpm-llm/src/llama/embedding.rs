//! The table that turns ids into embeddings, and hidden states into logits.

use burn::{
    module::{Initializer, Module},
    tensor::{Int, Tensor, TensorData, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    nn::{LinearLayer, LinearLayers, LinearRole, LinearWeight},
    quantization::QuantizedBits,
};

use crate::{check::check_range, error::LlmError};

/// Standard deviation of a fresh table, `initializer_range` of `transformers`.
const INIT_STD: f64 = 0.02;

/// A row for each token: the embeddings, the output layer, or both.
#[derive(Module, Debug)]
pub struct TokenTable<B: Backend> {
    /// `[vocab, d_model]`
    pub weight: LinearWeight<B>,
}

impl<B: Backend> TokenTable<B> {
    /// A table drawn from N(0, 0.02²).
    pub fn new(vocab_size: usize, width: usize, device: &B::Device) -> Self {
        let normal = Initializer::Normal {
            mean: 0.0,
            std: INIT_STD,
        };
        Self {
            weight: LinearWeight::Float(normal.init([vocab_size, width], device)),
        }
    }
}

impl<B: Backend> LinearLayers<B> for TokenTable<B> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        visit(LinearLayer {
            weight: &mut self.weight,
            role: LinearRole::Table,
            // As CPM-Bee's: the output layer of models whose embeddings are tied.
            fewest_bits: QuantizedBits::Int8,
        });
    }
}

impl<B: MpmBackend> TokenTable<B> {
    /// The rows of some tokens, in the dtype of the weight and in f32 if it is quantized.
    ///
    /// # Shapes
    /// - ids: `[tokens]`
    /// - output: `[tokens, d_model]`
    ///
    /// # Errors
    /// [`LlmError::InputRange`] when an id is not in the vocabulary.
    pub fn embed(&self, ids: &[i32]) -> Result<Tensor<B, 2>, LlmError> {
        let [vocab_size, _] = self.weight.dims();
        check_range("ids", ids, vocab_size - 1)?;
        let rows: Tensor<B, 1, Int> =
            Tensor::from_data(TensorData::from(ids), &self.weight.device());
        Ok(self.weight.select_rows(rows))
    }

    /// How well each token goes on after hidden states.
    ///
    /// # Shapes
    /// - hidden: `[batch, seq, d_model]`
    /// - output: `[batch, seq, vocab]`
    pub fn logits(&self, hidden: Tensor<B, 3>) -> Tensor<B, 3> {
        self.weight.linear(hidden, None)
    }
}
