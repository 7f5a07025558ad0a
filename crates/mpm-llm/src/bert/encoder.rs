//! The layers of the transformer.
#![allow(
    non_snake_case,
    reason = "checkpoints call norms `LayerNorm`, and fields are named as there"
)]

use burn::{
    module::Module,
    tensor::{Bool, Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    kernel::gelu,
    nn::{LayerNorm, TorchLinear},
};

use super::{attention::BertAttention, config::BertConfig};

/// The first layer of a feed-forward network.
#[derive(Module, Debug)]
pub struct BertIntermediate<B: Backend> {
    /// Projection from `hidden_size` to `intermediate_size`.
    pub dense: TorchLinear<B>,
}

/// The second layer of a feed-forward network, residual connection, norm.
#[derive(Module, Debug)]
pub struct BertOutput<B: Backend> {
    /// Projection from `intermediate_size` to `hidden_size`.
    pub dense: TorchLinear<B>,
    /// Norm of the sum.
    pub LayerNorm: LayerNorm<B>,
}

/// A post-norm layer: attention and feed-forward, each with a residual connection.
#[derive(Module, Debug)]
pub struct BertLayer<B: Backend> {
    /// Self-attention.
    pub attention: BertAttention<B>,
    /// First half of the feed-forward network.
    pub intermediate: BertIntermediate<B>,
    /// Second half of the feed-forward network.
    pub output: BertOutput<B>,
}

impl<B: Backend> BertLayer<B> {
    fn new(config: &BertConfig, device: &B::Device) -> Self {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        Self {
            attention: BertAttention::new(config, device),
            intermediate: BertIntermediate {
                dense: TorchLinear::new(width, inner, device),
            },
            output: BertOutput {
                dense: TorchLinear::new(inner, width, device),
                LayerNorm: LayerNorm::new(width, config.layer_norm_eps, device),
            },
        }
    }
}

impl<B: MpmBackend> BertLayer<B> {
    /// # Shapes
    /// - x, output: `[batch, seq, hidden_size]`
    /// - hidden: `[batch, 1, 1, seq]`, true for keys that nobody may see
    pub fn forward(&self, x: Tensor<B, 3>, hidden: Option<Tensor<B, 4, Bool>>) -> Tensor<B, 3> {
        let x = self.attention.forward(x, hidden);
        let inner = gelu(self.intermediate.dense.forward(x.clone()));
        let output = &self.output;
        output.LayerNorm.forward(output.dense.forward(inner) + x)
    }
}

/// All layers.
#[derive(Module, Debug)]
pub struct BertEncoder<B: Backend> {
    /// The layers, first to last.
    pub layer: Vec<BertLayer<B>>,
}

impl<B: Backend> BertEncoder<B> {
    pub(super) fn new(config: &BertConfig, device: &B::Device) -> Self {
        Self {
            layer: (0..config.num_hidden_layers)
                .map(|_| BertLayer::new(config, device))
                .collect(),
        }
    }
}

impl<B: MpmBackend> BertEncoder<B> {
    /// # Shapes
    /// - x, output: `[batch, seq, hidden_size]`
    /// - hidden: `[batch, 1, 1, seq]`, true for keys that nobody may see
    pub fn forward(&self, x: Tensor<B, 3>, hidden: Option<Tensor<B, 4, Bool>>) -> Tensor<B, 3> {
        self.layer
            .iter()
            .fold(x, |x, layer| layer.forward(x, hidden.clone()))
    }
}
