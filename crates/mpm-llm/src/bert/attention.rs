//! Self-attention with its residual connection.
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
    kernel::{attention, merge_heads, split_heads},
    nn::{LayerNorm, TorchLinear},
};

use super::config::BertConfig;

/// Multi-head self-attention, before its output projection.
#[derive(Module, Debug)]
pub struct BertSelfAttention<B: Backend> {
    /// Projection to the queries.
    pub query: TorchLinear<B>,
    /// Projection to the keys.
    pub key: TorchLinear<B>,
    /// Projection to the values.
    pub value: TorchLinear<B>,
    num_heads: usize,
}

/// Projection of the heads' joined outputs, residual connection, norm.
#[derive(Module, Debug)]
pub struct BertSelfOutput<B: Backend> {
    /// The projection.
    pub dense: TorchLinear<B>,
    /// Norm of the sum.
    pub LayerNorm: LayerNorm<B>,
}

/// The attention half of a layer.
#[derive(Module, Debug)]
pub struct BertAttention<B: Backend> {
    /// Checkpoints call it `self`, which is no name in Rust, see
    /// [`Bert::checkpoint_keys`](super::Bert::checkpoint_keys).
    pub attention: BertSelfAttention<B>,
    /// What follows.
    pub output: BertSelfOutput<B>,
}

impl<B: Backend> BertAttention<B> {
    pub(super) fn new(config: &BertConfig, device: &B::Device) -> Self {
        let width = config.hidden_size;
        let square = || TorchLinear::new(width, width, device);
        Self {
            attention: BertSelfAttention {
                query: square(),
                key: square(),
                value: square(),
                num_heads: config.num_attention_heads,
            },
            output: BertSelfOutput {
                dense: square(),
                LayerNorm: LayerNorm::new(width, config.layer_norm_eps, device),
            },
        }
    }
}

impl<B: MpmBackend> BertSelfAttention<B> {
    /// # Shapes
    /// - x, output: `[batch, seq, hidden_size]`
    /// - hidden: `[batch, 1, 1, seq]`, true for keys that nobody may see
    pub fn forward(&self, x: Tensor<B, 3>, hidden: Option<Tensor<B, 4, Bool>>) -> Tensor<B, 3> {
        let dim_head = x.dims()[2] / self.num_heads;
        let project =
            |linear: &TorchLinear<B>| split_heads(linear.forward(x.clone()), self.num_heads);
        let (query, key) = (project(&self.query), project(&self.key));
        let scale = (dim_head as f64).powf(-0.5);
        let value = project(&self.value);
        merge_heads(attention(query, key, value, None, hidden, scale))
    }
}

impl<B: MpmBackend> BertAttention<B> {
    /// # Shapes
    /// - x, output: `[batch, seq, hidden_size]`
    /// - hidden: `[batch, 1, 1, seq]`, true for keys that nobody may see
    pub fn forward(&self, x: Tensor<B, 3>, hidden: Option<Tensor<B, 4, Bool>>) -> Tensor<B, 3> {
        let attended = self.attention.forward(x.clone(), hidden);
        let output = &self.output;
        output.LayerNorm.forward(output.dense.forward(attended) + x)
    }
}
