//! Self-attention.

use burn::{
    module::Module,
    tensor::{Bool, Tensor, backend::Backend},
};

use super::encoder::ClipEncoderConfig;
use crate::{
    kernel::{MpmBackend, attention, merge_heads, split_heads},
    linear_layers,
    nn::TorchLinear,
};

/// Multi-head self-attention.
#[derive(Module, Debug)]
pub struct ClipAttention<B: Backend> {
    /// Projection to the keys.
    pub k_proj: TorchLinear<B>,
    /// Projection to the values.
    pub v_proj: TorchLinear<B>,
    /// Projection to the queries.
    pub q_proj: TorchLinear<B>,
    /// Projection of the heads' joined outputs.
    pub out_proj: TorchLinear<B>,
    num_heads: usize,
}

linear_layers!(ClipAttention {
    k_proj,
    v_proj,
    q_proj,
    out_proj,
});

impl<B: Backend> ClipAttention<B> {
    pub(super) fn new(config: &ClipEncoderConfig, device: &B::Device) -> Self {
        let square = || TorchLinear::new(config.hidden_size, config.hidden_size, device);
        Self {
            k_proj: square(),
            v_proj: square(),
            q_proj: square(),
            out_proj: square(),
            num_heads: config.num_attention_heads,
        }
    }
}

impl<B: MpmBackend> ClipAttention<B> {
    /// # Shapes
    /// - x, output: `[batch, tokens, hidden_size]`
    /// - hidden: broadcastable to `[batch, heads, tokens, tokens]`, true where a token must not
    ///   see another; `None` where every token sees every other
    pub fn forward(&self, x: Tensor<B, 3>, hidden: Option<Tensor<B, 4, Bool>>) -> Tensor<B, 3> {
        let dim_head = x.dims()[2] / self.num_heads;
        let project =
            |linear: &TorchLinear<B>| split_heads(linear.forward(x.clone()), self.num_heads);
        let (query, key) = (project(&self.q_proj), project(&self.k_proj));
        let value = project(&self.v_proj);
        let scale = (dim_head as f64).powf(-0.5);
        let attended = attention(query, key, value, None, hidden, scale);
        self.out_proj.forward(merge_heads(attended))
    }
}
