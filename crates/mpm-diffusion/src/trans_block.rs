//! The bridge from a language model to the UNet.
//!
//! Source: `CPMBeeTransBlock` in VisCPM's `models/stablediffusion.py`; paper, section 3.4.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend, linear_layers,
    nn::{LayerNorm, TorchLinear},
};

/// `eps` of the reference's layer norm.
const EPSILON: f64 = 1e-6;

/// A linear projection without bias and a layer norm: hidden states of a language model
/// become what the UNet's cross-attention reads.
#[derive(Module, Debug)]
pub struct TransBlock<B: Backend> {
    /// From the language model's width to the UNet's `cross_attention_dim`.
    pub w_out_res: TorchLinear<B>,
    /// Over the UNet's width.
    pub layernorm: LayerNorm<B>,
}

linear_layers!(TransBlock { w_out_res });

impl<B: Backend> TransBlock<B> {
    /// A block of random weights from width `d_llm` to `cross_attention_dim`.
    pub fn new(d_llm: usize, cross_attention_dim: usize, device: &B::Device) -> Self {
        Self {
            w_out_res: TorchLinear::new(d_llm, cross_attention_dim, device).without_bias(),
            layernorm: LayerNorm::new(cross_attention_dim, EPSILON, device),
        }
    }

    /// Width of the hidden states that it reads.
    pub fn d_llm(&self) -> usize {
        self.w_out_res.d_in()
    }
}

impl<B: MpmBackend> TransBlock<B> {
    /// # Shapes
    /// - hidden: `[batch, seq, d_llm]`
    /// - output: `[batch, seq, cross_attention_dim]`
    pub fn forward(&self, hidden: Tensor<B, 3>) -> Tensor<B, 3> {
        self.layernorm.forward(self.w_out_res.forward(hidden))
    }
}
