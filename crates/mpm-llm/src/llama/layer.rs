//! A layer of the transformer, `LlamaDecoderLayer` of `transformers`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, linear_layers, nn::RmsNorm};

use super::{attention::LlamaAttention, config::LlamaConfig, context::LayerContext, mlp::LlamaMlp};
use crate::{cache::LayerCache, error::LlmError};

/// Self-attention and feed-forward, each behind a norm and beside a residual.
#[derive(Module, Debug)]
pub struct LlamaLayer<B: Backend> {
    /// The norm of the attention's input.
    pub input_layernorm: RmsNorm<B>,
    /// The attention.
    pub self_attn: LlamaAttention<B>,
    /// The norm of the feed-forward layer's input.
    pub post_attention_layernorm: RmsNorm<B>,
    /// The feed-forward layer.
    pub mlp: LlamaMlp<B>,
    /// Factor of what both add.
    pub residual_scale: f64,
}

linear_layers!(LlamaLayer { self_attn, mlp });

impl<B: Backend> LlamaLayer<B> {
    pub(super) fn new(config: &LlamaConfig, layer: usize, device: &B::Device) -> Self {
        let norm = || RmsNorm::new(config.hidden_size, config.rms_norm_eps, device);
        Self {
            input_layernorm: norm(),
            self_attn: LlamaAttention::new(config, layer, device),
            post_attention_layernorm: norm(),
            mlp: LlamaMlp::new(config, device),
            residual_scale: config.residual_scale,
        }
    }
}

impl<B: MpmBackend> LlamaLayer<B> {
    /// # Shapes
    /// - x, output: `[batch, len_q, d_model]`
    ///
    /// # Errors
    /// As [`LlamaAttention::forward`].
    pub fn forward(
        &self,
        x: Tensor<B, 3>,
        context: &LayerContext<B>,
        cache: Option<&mut LayerCache<B>>,
    ) -> Result<Tensor<B, 3>, LlmError> {
        let normed = self.input_layernorm.forward(x.clone());
        let attended = self.self_attn.forward(normed, context, cache)?;
        let x = x + scaled(attended, self.residual_scale);
        let normed = self.post_attention_layernorm.forward(x.clone());
        Ok(x + scaled(self.mlp.forward(normed), self.residual_scale))
    }
}

/// `x · scale`; most models have scales of 1, which cost nothing.
pub(super) fn scaled<B: Backend, const D: usize>(x: Tensor<B, D>, scale: f64) -> Tensor<B, D> {
    match scale == 1.0 {
        true => x,
        false => x.mul_scalar(scale),
    }
}
