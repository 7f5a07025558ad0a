//! Self-attention with multiway projections and a norm before the output.
//!
//! Source: torchscale's `component/multihead_attention.py` with `subln`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    kernel::{attention, merge_heads, split_heads},
    linear_layers,
    nn::{LayerNorm, TorchLinear},
};

use crate::{
    config::Beit3Config,
    init,
    multiway::{Multiway, Tokens},
};

/// Multi-head self-attention over both parts of a sequence.
#[derive(Module, Debug)]
pub struct MultiheadAttention<B: Backend> {
    /// Projection to the keys.
    pub k_proj: Multiway<B, TorchLinear<B>>,
    /// Projection to the values.
    pub v_proj: Multiway<B, TorchLinear<B>>,
    /// Projection to the queries of the attention.
    pub q_proj: Multiway<B, TorchLinear<B>>,
    /// Projection of the heads' joined outputs.
    pub out_proj: Multiway<B, TorchLinear<B>>,
    /// The sub-layernorm: normalises the heads' joined outputs.
    pub inner_attn_ln: Multiway<B, LayerNorm<B>>,
    num_heads: usize,
}

linear_layers!(MultiheadAttention {
    k_proj,
    v_proj,
    q_proj,
    out_proj,
});

impl<B: Backend> MultiheadAttention<B> {
    pub(crate) fn new(config: &Beit3Config, device: &B::Device) -> Self {
        let d = config.d_model;
        let std = config.init_std;
        let gained = std * init::sub_layer_norm_gain(config.num_layers);
        Self {
            k_proj: Multiway::new(|| init::linear(d, d, std, device)),
            v_proj: Multiway::new(|| init::linear(d, d, gained, device)),
            q_proj: Multiway::new(|| init::linear(d, d, std, device)),
            out_proj: Multiway::new(|| init::linear(d, d, gained, device)),
            inner_attn_ln: Multiway::new(|| LayerNorm::new(d, config.layer_norm_eps, device)),
            num_heads: config.num_heads,
        }
    }
}

impl<B: MpmBackend> MultiheadAttention<B> {
    /// Lets `attending` look at all of `context`.
    ///
    /// # Shapes
    /// - attending: `[batch, len, d_model]` per part
    /// - context: `[batch, seq, d_model]` over both parts
    /// - output: as `attending`
    pub fn forward(&self, attending: Tokens<B>, context: Tokens<B>) -> Tokens<B> {
        let key = self
            .k_proj
            .forward(context.clone(), TorchLinear::forward)
            .concat();
        let value = self.v_proj.forward(context, TorchLinear::forward).concat();
        let (key, value) = (self.split_heads(key), self.split_heads(value));
        let attended = self
            .q_proj
            .forward(attending, TorchLinear::forward)
            .map(|query| self.attend(query, key.clone(), value.clone()));
        let normed = self.inner_attn_ln.forward(attended, LayerNorm::forward);
        self.out_proj.forward(normed, TorchLinear::forward)
    }

    /// query and output: `[batch, len, d_model]`; key, value: `[batch, heads, seq, dim_head]`.
    fn attend(&self, query: Tensor<B, 3>, key: Tensor<B, 4>, value: Tensor<B, 4>) -> Tensor<B, 3> {
        let query = self.split_heads(query);
        let scale = (query.dims()[3] as f64).powf(-0.5);
        merge_heads(attention(query, key, value, None, None, scale))
    }

    /// `[batch, len, d_model]` to `[batch, heads, len, dim_head]`.
    fn split_heads(&self, x: Tensor<B, 3>) -> Tensor<B, 4> {
        split_heads(x, self.num_heads)
    }
}
