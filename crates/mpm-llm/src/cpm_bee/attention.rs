//! Multi-head self-attention, `VisCPM/models/modules/attention.py`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    kernel::{merge_heads, split_heads},
    linear_layers,
};

use super::{attention_bias::AttentionBias, config::CpmBeeConfig, linear::ScaledLinear};
use crate::{cache::LayerCache, error::LlmError};

/// Self-attention with a position bias that is shared by all layers.
#[derive(Module, Debug)]
pub struct Attention<B: Backend> {
    /// `[heads · dim_head, d_model]`.
    pub project_q: ScaledLinear<B>,
    /// `[heads · dim_head, d_model]`.
    pub project_k: ScaledLinear<B>,
    /// `[heads · dim_head, d_model]`.
    pub project_v: ScaledLinear<B>,
    /// `[d_model, heads · dim_head]`.
    pub attention_out: ScaledLinear<B>,
    /// Number of heads.
    pub num_heads: usize,
}

linear_layers!(Attention {
    project_q,
    project_k,
    project_v,
    attention_out,
});

impl<B: Backend> Attention<B> {
    /// A layer with fresh weights.
    pub fn new(config: &CpmBeeConfig, device: &B::Device) -> Self {
        let (width, inner) = (config.dim_model, config.num_heads * config.dim_head);
        Self {
            project_q: ScaledLinear::new(width, inner, device),
            project_k: ScaledLinear::new(width, inner, device),
            project_v: ScaledLinear::new(width, inner, device),
            attention_out: ScaledLinear::new(inner, width, device),
            num_heads: config.num_heads,
        }
    }
}

impl<B: MpmBackend> Attention<B> {
    /// Attends to `x` itself and, with a cache, to everything cached before;
    /// the keys and values of `x` are added to the cache.
    ///
    /// # Shapes
    /// - x, output: `[batch, len_q, d_model]`
    ///
    /// # Errors
    /// [`LlmError::CacheFull`] when the cache has no room for `x`,
    /// [`LlmError::CacheShape`] when it was made for another batch or another model.
    pub fn forward(
        &self,
        x: Tensor<B, 3>,
        bias: &AttentionBias<B>,
        cache: Option<&mut LayerCache<B>>,
    ) -> Result<Tensor<B, 3>, LlmError> {
        let x = ScaledLinear::scale_input(x);
        let query = self.split_heads(self.project_q.project(x.clone()));
        let key = self.split_heads(self.project_k.project(x.clone()));
        let value = self.split_heads(self.project_v.project(x));

        let (key, value) = match cache {
            Some(cache) => cache.append(key, value)?,
            None => (key, value),
        };
        let dim_head = query.dims()[3];
        let context = bias.attend(query, key, value, (dim_head as f64).sqrt().recip());
        Ok(self.attention_out.forward(merge_heads(context)))
    }

    /// `[batch, seq, heads · dim_head]` to `[batch, heads, seq, dim_head]`.
    fn split_heads(&self, x: Tensor<B, 3>) -> Tensor<B, 4> {
        split_heads(x, self.num_heads)
    }
}
