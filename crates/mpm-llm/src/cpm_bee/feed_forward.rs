//! Gated feed-forward layer, `VisCPM/models/modules/feedforward.py`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    kernel::{MpmBackend, gated_gelu},
    linear_layers,
};

use super::{config::CpmBeeConfig, linear::ScaledLinear};

/// `W_out (gelu(W_0 x) · W_1 x)`, every product scaled by its input width.
#[derive(Module, Debug)]
pub struct FeedForward<B: Backend> {
    /// The gated input projections.
    pub w_in: DenseGated<B>,
    /// `[d_model, d_ff]`.
    pub w_out: ScaledLinear<B>,
}

linear_layers!(FeedForward { w_in, w_out });

/// `gelu(W_0 x) · W_1 x` with the exact (erf) GELU.
#[derive(Module, Debug)]
pub struct DenseGated<B: Backend> {
    /// The gate, `[d_ff, d_model]`.
    pub w_0: ScaledLinear<B>,
    /// The value, `[d_ff, d_model]`.
    pub w_1: ScaledLinear<B>,
}

linear_layers!(DenseGated { w_0, w_1 });

impl<B: Backend> FeedForward<B> {
    /// A layer with fresh weights.
    pub fn new(config: &CpmBeeConfig, device: &B::Device) -> Self {
        let (width, inner) = (config.dim_model, config.dim_ff);
        Self {
            w_in: DenseGated {
                w_0: ScaledLinear::new(width, inner, device),
                w_1: ScaledLinear::new(width, inner, device),
            },
            w_out: ScaledLinear::new(inner, width, device),
        }
    }
}

impl<B: MpmBackend> FeedForward<B> {
    /// # Shapes
    /// - x, output: `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        self.w_out.forward(self.w_in.forward(x))
    }
}

impl<B: MpmBackend> DenseGated<B> {
    /// # Shapes
    /// - x: `[batch, seq, d_model]`
    /// - output: `[batch, seq, d_ff]`
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let x = ScaledLinear::scale_input(x);
        gated_gelu(self.w_0.project(x.clone()), self.w_1.project(x))
    }
}
