//! Gated feed-forward layer, `LlamaMLP` of `transformers`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, kernel::silu, linear_layers, nn::TorchLinear};

use super::{attention::linear, config::LlamaConfig};

/// SwiGLU (<https://arxiv.org/abs/2002.05202>): `W_down (silu(W_gate x) · W_up x)`.
#[derive(Module, Debug)]
pub struct LlamaMlp<B: Backend> {
    /// `[d_ff, d_model]`
    pub gate_proj: TorchLinear<B>,
    /// `[d_ff, d_model]`
    pub up_proj: TorchLinear<B>,
    /// `[d_model, d_ff]`
    pub down_proj: TorchLinear<B>,
}

linear_layers!(LlamaMlp {
    gate_proj,
    up_proj,
    down_proj,
});

impl<B: Backend> LlamaMlp<B> {
    pub(super) fn new(config: &LlamaConfig, device: &B::Device) -> Self {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        Self {
            gate_proj: linear(width, inner, config.mlp_bias, device),
            up_proj: linear(width, inner, config.mlp_bias, device),
            down_proj: linear(inner, width, config.mlp_bias, device),
        }
    }
}

impl<B: MpmBackend> LlamaMlp<B> {
    /// # Shapes
    /// - x, output: `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let gate = silu(self.gate_proj.forward(x.clone()));
        self.down_proj.forward(gate * self.up_proj.forward(x))
    }
}
