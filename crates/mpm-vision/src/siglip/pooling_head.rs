//! One state of a whole picture.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend, linear_layers,
    nn::{LayerNorm, clip::ClipMlp},
};

use super::config::SiglipVisionConfig;
use crate::packed_attention::PackedAttention;

/// A learned probe reads all patches, and a feed-forward network follows
/// (`SiglipMultiheadAttentionPoolingHead`).
#[derive(Module, Debug)]
pub struct SiglipPoolingHead<B: Backend> {
    /// What asks, `[1, 1, hidden_size]`.
    pub probe: Param<Tensor<B, 3>>,
    /// How it reads the patches.
    pub attention: PackedAttention<B>,
    /// Norm before the feed-forward network.
    pub layernorm: LayerNorm<B>,
    /// The feed-forward network.
    pub mlp: ClipMlp<B>,
}

linear_layers!(SiglipPoolingHead { attention, mlp });

impl<B: Backend> SiglipPoolingHead<B> {
    pub(super) fn new(config: &SiglipVisionConfig, device: &B::Device) -> Self {
        let width = config.hidden_size;
        let normal = Initializer::Normal {
            mean: 0.0,
            std: 1.0,
        };
        Self {
            probe: normal.init([1, 1, width], device),
            attention: PackedAttention::new(width, config.num_attention_heads, device),
            layernorm: LayerNorm::new(width, config.layer_norm_eps, device),
            mlp: ClipMlp::new(&config.encoder(), device),
        }
    }
}

impl<B: MpmBackend> SiglipPoolingHead<B> {
    /// # Shapes
    /// - states: `[batch, patches, hidden_size]`
    /// - output: `[batch, hidden_size]`
    pub fn forward(&self, states: Tensor<B, 3>) -> Tensor<B, 2> {
        let [batch, _, width] = states.dims();
        let read = self
            .attention
            .forward(self.probe.val(), states.clone(), states);
        let pooled = read.clone() + self.mlp.forward(self.layernorm.forward(read));
        pooled.reshape([batch, width])
    }
}
