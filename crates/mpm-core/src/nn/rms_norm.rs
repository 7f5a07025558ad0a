//! RMS norm.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Tensor, backend::Backend},
};

use crate::kernel::{MpmBackend, rms_norm};

/// `x / √(mean(x²) + ε) · weight`, without bias; the mean is taken in f32.
///
/// Source: <https://arxiv.org/abs/1910.07467>; in the reference
/// `VisCPM/models/modules/layernorm.py`, in `transformers` `LlamaRMSNorm`.
#[derive(Module, Debug)]
pub struct RmsNorm<B: Backend> {
    /// `[width]`
    pub weight: Param<Tensor<B, 1>>,
    /// ε, added to the mean square.
    pub epsilon: f64,
}

impl<B: Backend> RmsNorm<B> {
    /// A norm with weight 1.
    pub fn new(width: usize, epsilon: f64, device: &B::Device) -> Self {
        Self {
            weight: Initializer::Ones.init([width], device),
            epsilon,
        }
    }
}

impl<B: MpmBackend> RmsNorm<B> {
    /// Normalises the last dimension.
    ///
    /// # Shapes
    /// - x, output: `[..., width]`
    ///
    /// # Panics
    /// When `x` has another width.
    pub fn forward<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        rms_norm(x, self.weight.val(), self.epsilon)
    }
}
