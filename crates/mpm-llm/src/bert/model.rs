//! The transformer without and with its pooler.

use burn::{
    module::Module,
    tensor::{Tensor, TensorData, backend::Backend},
};
use mpm_core::{MpmBackend, nn::TorchLinear, weights::KeyMap};

use super::{
    config::BertConfig, embeddings::BertEmbeddings, encoder::BertEncoder, input::BertInput,
};
use crate::LlmError;

/// The state of a text's first token, through a linear layer and tanh.
#[derive(Module, Debug)]
pub struct BertPooler<B: Backend> {
    /// The linear layer.
    pub dense: TorchLinear<B>,
}

/// A BERT model; made by [`BertConfig::init`].
#[derive(Module, Debug)]
pub struct Bert<B: Backend> {
    /// From ids to tokens.
    pub embeddings: BertEmbeddings<B>,
    /// The layers.
    pub encoder: BertEncoder<B>,
    /// What classifiers read; Chinese-CLIP does without.
    pub pooler: Option<BertPooler<B>>,
}

impl BertConfig {
    /// Makes a model without a pooler and with random weights, drawn when they are first read.
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<Bert<B>, LlmError> {
        self.validate()?;
        Ok(Bert {
            embeddings: BertEmbeddings::new(self, device),
            encoder: BertEncoder::new(self, device),
            pooler: None,
        })
    }
}

impl<B: Backend> Bert<B> {
    /// The same model with a new pooler.
    #[must_use]
    pub fn with_pooler(self, device: &B::Device) -> Self {
        // Without drawing the table, which a checkpoint takes the place of.
        let width = self.embeddings.word_embeddings.weight.lazy_shape()[1];
        let dense = TorchLinear::new(width, width, device);
        Self {
            pooler: Some(BertPooler { dense }),
            ..self
        }
    }

    /// How the names of a file that has a model of `layers` layers at `branch` lead to the
    /// parameters of a module that has it there, too.
    ///
    /// | in the file | in the module |
    /// |---|---|
    /// | `….layer.N.attention.self.*` | `….layer.N.attention.attention.*` |
    /// | `….embeddings.position_ids` | nowhere: the numbers from 0, which older versions saved |
    pub fn checkpoint_keys(branch: &str, layers: usize) -> KeyMap {
        let keys = KeyMap::new().unused(&format!("{branch}.embeddings.position_ids"));
        (0..layers).fold(keys, |keys, layer| {
            let half = format!("{branch}.encoder.layer.{layer}.attention");
            keys.rename(&format!("{half}.self"), &format!("{half}.attention"))
        })
    }
}

impl<B: MpmBackend> Bert<B> {
    /// The states of all tokens after the last layer.
    ///
    /// # Shapes
    /// - output: `[batch, seq, hidden_size]`; the states of padding mean nothing
    ///
    /// # Errors
    /// As [`BertEmbeddings::forward`].
    pub fn forward(&self, input: &BertInput) -> Result<Tensor<B, 3>, LlmError> {
        let embedded = self.embeddings.forward(input)?;
        let hidden = input.seen.contains(&false).then(|| {
            let hidden: Vec<bool> = input.seen.iter().map(|&seen| !seen).collect();
            let shape = [input.batch, 1, 1, input.seq_len];
            Tensor::from_data(TensorData::new(hidden, shape), &embedded.device())
        });
        Ok(self.encoder.forward(embedded, hidden))
    }

    /// The states of the texts' first tokens, `[CLS]`, through the pooler if there is one.
    ///
    /// # Shapes
    /// - states: `[batch, seq, hidden_size]`, from [`forward`](Self::forward)
    /// - output: `[batch, hidden_size]`
    pub fn pool(&self, states: Tensor<B, 3>) -> Tensor<B, 2> {
        let [batch, _, width] = states.dims();
        let first = states.slice([0..batch, 0..1, 0..width]);
        let first = first.reshape([batch, width]);
        match &self.pooler {
            Some(pooler) => pooler.dense.forward(first).tanh(),
            None => first,
        }
    }
}
