//! BERT with a linear layer that tells labels apart.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, nn::TorchLinear, weights::KeyMap};

use super::{config::BertConfig, input::BertInput, model::Bert};
use crate::LlmError;

/// `BertForSequenceClassification` of `transformers`.
#[derive(Module, Debug)]
pub struct BertClassifier<B: Backend> {
    /// The model, with a pooler.
    pub bert: Bert<B>,
    /// From the pooled state to a logit for each label.
    pub classifier: TorchLinear<B>,
}

impl<B: Backend> BertClassifier<B> {
    /// A classifier with random weights.
    ///
    /// # Errors
    /// See [`BertConfig::validate`] and [`BertConfig::labels`].
    pub fn new(config: &BertConfig, device: &B::Device) -> Result<Self, LlmError> {
        let labels = config.labels()?.len();
        Ok(Self {
            bert: config.init(device)?.with_pooler(device),
            classifier: TorchLinear::new(config.hidden_size, labels, device),
        })
    }

    /// How a file's names lead to the parameters, see [`Bert::checkpoint_keys`].
    pub fn checkpoint_keys(config: &BertConfig) -> KeyMap {
        Bert::<B>::checkpoint_keys("bert", config.num_hidden_layers)
    }
}

impl<B: MpmBackend> BertClassifier<B> {
    /// # Shapes
    /// - output: `[batch, labels]`
    ///
    /// # Errors
    /// As [`BertEmbeddings::forward`](super::BertEmbeddings::forward).
    pub fn logits(&self, input: &BertInput) -> Result<Tensor<B, 2>, LlmError> {
        let states = self.bert.forward(input)?;
        Ok(self.classifier.forward(self.bert.pool(states)))
    }
}
