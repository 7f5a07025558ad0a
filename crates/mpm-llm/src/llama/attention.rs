//! Self-attention with fewer key and value heads than query heads, `LlamaAttention` of
//! `transformers`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    kernel::{attention, merge_heads, split_heads},
    linear_layers,
    nn::{RmsNorm, TorchLinear},
};

use super::{config::LlamaConfig, context::LayerContext};
use crate::{cache::LayerCache, error::LlmError};

/// Grouped-query attention (<https://arxiv.org/abs/2305.13245>) with rotary positions.
#[derive(Module, Debug)]
pub struct LlamaAttention<B: Backend> {
    /// `[heads · head_dim, d_model]`
    pub q_proj: TorchLinear<B>,
    /// `[kv_heads · head_dim, d_model]`
    pub k_proj: TorchLinear<B>,
    /// `[kv_heads · head_dim, d_model]`
    pub v_proj: TorchLinear<B>,
    /// `[d_model, heads · head_dim]`
    pub o_proj: TorchLinear<B>,
    /// Norm of each head's queries, where the model has it (Qwen3).
    pub q_norm: Option<RmsNorm<B>>,
    /// Norm of each head's keys, where the model has it (Qwen3).
    pub k_norm: Option<RmsNorm<B>>,
    /// Width of a head.
    pub head_dim: usize,
    /// Whether it sees the window only.
    pub is_sliding: bool,
}

linear_layers!(LlamaAttention {
    q_proj,
    k_proj,
    v_proj,
    o_proj,
});

impl<B: Backend> LlamaAttention<B> {
    pub(super) fn new(config: &LlamaConfig, layer: usize, device: &B::Device) -> Self {
        let (width, head_dim) = (config.hidden_size, config.head_dim);
        let inner = config.num_attention_heads * head_dim;
        let shared = config.num_key_value_heads * head_dim;
        let project = |d_out| linear(width, d_out, config.qkv_bias, device);
        let norm = || {
            config
                .qk_norm
                .then(|| RmsNorm::new(head_dim, config.rms_norm_eps, device))
        };
        Self {
            q_proj: project(inner),
            k_proj: project(shared),
            v_proj: project(shared),
            o_proj: linear(inner, width, config.o_bias, device),
            q_norm: norm(),
            k_norm: norm(),
            head_dim,
            is_sliding: config.is_sliding(layer),
        }
    }
}

/// A linear layer with or without a bias.
pub(super) fn linear<B: Backend>(
    d_in: usize,
    d_out: usize,
    has_bias: bool,
    device: &B::Device,
) -> TorchLinear<B> {
    let linear = TorchLinear::new(d_in, d_out, device);
    match has_bias {
        true => linear,
        false => linear.without_bias(),
    }
}

impl<B: MpmBackend> LlamaAttention<B> {
    /// Attends to `x` itself and, with a cache, to everything cached before; the keys and values
    /// of `x` are added to the cache.
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
        context: &LayerContext<B>,
        cache: Option<&mut LayerCache<B>>,
    ) -> Result<Tensor<B, 3>, LlmError> {
        let query = self.heads(&self.q_proj, &self.q_norm, x.clone());
        let key = self.heads(&self.k_proj, &self.k_norm, x.clone());
        let value = self.heads(&self.v_proj, &None, x);
        let (query, key) = (context.rotation.apply(query), context.rotation.apply(key));
        let (key, value) = match cache {
            Some(cache) => cache.append(key, value)?,
            None => (key, value),
        };

        // The queries of all heads that share keys lie one after the other, as if the text were
        // as many times as long: keys and values are read once, and never repeated.
        let [batch, heads, len_q, head_dim] = query.dims();
        let shared = key.dims()[1];
        let folded = query.reshape([batch, shared, heads / shared * len_q, head_dim]);
        let hidden = context.hidden(self.is_sliding);
        let far = context.out_of_reach(self.is_sliding);
        let near = |x: Tensor<B, 4>| match far {
            0 => x,
            _ => {
                let count = x.dims()[2] - far;
                x.narrow(2, far, count)
            }
        };
        let (key, value) = (near(key), near(value));
        let scale = (head_dim as f64).sqrt().recip();
        let attended = attention(folded, key, value, None, hidden, scale);
        let attended = attended.reshape([batch, heads, len_q, head_dim]);
        Ok(self.o_proj.forward(merge_heads(attended)))
    }

    /// `[batch, seq, d_model]` to `[batch, heads, seq, head_dim]`.
    fn heads(
        &self,
        project: &TorchLinear<B>,
        norm: &Option<RmsNorm<B>>,
        x: Tensor<B, 3>,
    ) -> Tensor<B, 4> {
        let heads = split_heads(project.forward(x), project.d_out() / self.head_dim);
        match norm {
            Some(norm) => norm.forward(heads),
            None => heads,
        }
    }
}
