//! The feed-forward network of one expert.
//!
//! Source: torchscale's `component/feedforward_network.py` with `subln`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    kernel::gelu,
    linear_layers,
    nn::{LayerNorm, TorchLinear},
};

use crate::{config::Beit3Config, init};

/// Linear, GELU, sub-layernorm, linear.
#[derive(Module, Debug)]
pub struct FeedForwardNetwork<B: Backend> {
    /// Projection from `d_model` to `d_ff`.
    pub fc1: TorchLinear<B>,
    /// Projection from `d_ff` to `d_model`.
    pub fc2: TorchLinear<B>,
    /// The sub-layernorm: normalises the activations, of width `d_ff`.
    pub ffn_layernorm: LayerNorm<B>,
}

linear_layers!(FeedForwardNetwork { fc1, fc2 });

impl<B: Backend> FeedForwardNetwork<B> {
    pub(crate) fn new(config: &Beit3Config, device: &B::Device) -> Self {
        let std = config.init_std * init::sub_layer_norm_gain(config.num_layers);
        Self {
            fc1: init::linear(config.d_model, config.d_ff, std, device),
            fc2: init::linear(config.d_ff, config.d_model, std, device),
            ffn_layernorm: LayerNorm::new(config.d_ff, config.layer_norm_eps, device),
        }
    }
}

impl<B: MpmBackend> FeedForwardNetwork<B> {
    /// Transforms every token by itself.
    ///
    /// # Shapes
    /// - x, output: `[batch, len, d_model]`
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let hidden = self.ffn_layernorm.forward(gelu(self.fc1.forward(x)));
        self.fc2.forward(hidden)
    }
}
