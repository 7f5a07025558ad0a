//! RMS norm, `VisCPM/models/modules/layernorm.py`.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Tensor, backend::Backend},
};
use mpm_core::kernel::{MpmBackend, rms_norm};

/// `x / √(mean(x²) + ε) · weight`, without bias; the mean is taken in f32.
#[derive(Module, Debug)]
pub struct RmsNorm<B: Backend> {
    /// `[d_model]`.
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
    /// - x, output: `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        rms_norm(x, self.weight.val(), self.epsilon)
    }
}
