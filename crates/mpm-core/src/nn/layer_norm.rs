//! Layer norm.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Tensor, backend::Backend},
};

use crate::kernel::{MpmBackend, layer_norm};

/// Layer norm over the last dimension, as PyTorch's `nn.LayerNorm`.
///
/// Burn's own keeps every step of its computation for the gradient; this one runs on
/// [`kernel::layer_norm`](layer_norm()), which keeps its input only.
#[derive(Module, Debug)]
pub struct LayerNorm<B: Backend> {
    /// `[width]`
    pub weight: Param<Tensor<B, 1>>,
    /// `[width]`
    pub bias: Param<Tensor<B, 1>>,
    /// What is added to the variance.
    pub epsilon: f64,
}

impl<B: Backend> LayerNorm<B> {
    /// A norm that starts as PyTorch's does: with weights of one and biases of zero.
    pub fn new(width: usize, epsilon: f64, device: &B::Device) -> Self {
        Self {
            weight: Initializer::Ones.init([width], device),
            bias: Initializer::Zeros.init([width], device),
            epsilon,
        }
    }
}

impl<B: MpmBackend> LayerNorm<B> {
    /// Normalises the last dimension.
    ///
    /// # Shapes
    /// - x, output: `[..., width]`
    ///
    /// # Panics
    /// When `x` has another width.
    pub fn forward<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        layer_norm(x, self.weight.val(), self.bias.val(), self.epsilon)
    }
}
