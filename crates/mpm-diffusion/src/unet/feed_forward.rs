//! The feed-forward network of a transformer block.
//!
//! Source: diffusers' `models/attention.py`, `FeedForward` with `GEGLU`; "GLU Variants Improve
//! Transformer", <https://arxiv.org/abs/2002.05202>.

use burn::{
    module::Module,
    nn::{Dropout, DropoutConfig},
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, kernel::gated_gelu, linear_layers, nn::TorchLinear};

/// Inner width in multiples of the outer one.
const EXPANSION: usize = 4;

/// A linear layer whose second half gates its first by GELU.
#[derive(Module, Debug)]
pub struct GeGlu<B: Backend> {
    /// To values and gates.
    pub proj: TorchLinear<B>,
}

linear_layers!(GeGlu { proj });

/// GEGLU and a linear layer back.
#[derive(Module, Debug)]
pub struct FeedForward<B: Backend> {
    /// The dropout, which never drops, holds the place that makes the last layer `net.2`.
    pub net: (GeGlu<B>, Dropout, TorchLinear<B>),
}

linear_layers!(FeedForward { net.0, net.2 });

impl<B: Backend> FeedForward<B> {
    pub(super) fn new(width: usize, device: &B::Device) -> Self {
        let inner = EXPANSION * width;
        let gated = GeGlu {
            proj: TorchLinear::new(width, 2 * inner, device),
        };
        let output = TorchLinear::new(inner, width, device);
        Self {
            net: (gated, DropoutConfig::new(0.0).init(), output),
        }
    }
}

impl<B: MpmBackend> GeGlu<B> {
    /// # Shapes
    /// - x: `[batch, pixels, d_in]`
    /// - output: `[batch, pixels, d_out / 2]`
    fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let inner = self.proj.d_out() / 2;
        let half = |first| self.proj.forward_rows(x.clone(), first, inner);
        let (value, gate) = (half(0), half(inner));
        gated_gelu(gate, value)
    }
}

impl<B: MpmBackend> FeedForward<B> {
    /// # Shapes
    /// - x, output: `[batch, pixels, width]`
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let (gated, _, output) = &self.net;
        output.forward(gated.forward(x))
    }
}
