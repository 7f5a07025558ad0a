//! Group norm, alone or with the SiLU that follows it in convolutional networks.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Tensor, backend::Backend},
};

use crate::kernel::{MpmBackend, group_norm, group_norm_silu};

/// Group norm of pictures, as PyTorch's `nn.GroupNorm`.
///
/// Burn's own names its parameters `gamma` and `beta` and runs as a chain of operations;
/// this one runs on [`kernel::group_norm`](group_norm()).
#[derive(Module, Debug)]
pub struct GroupNorm<B: Backend> {
    /// `[channels]`
    pub weight: Param<Tensor<B, 1>>,
    /// `[channels]`
    pub bias: Param<Tensor<B, 1>>,
    /// The number of groups into which the channels are split.
    pub groups: usize,
    /// What is added to the variance.
    pub epsilon: f64,
}

impl<B: Backend> GroupNorm<B> {
    /// A norm that starts as PyTorch's does: with weights of one and biases of zero.
    pub fn new(groups: usize, channels: usize, epsilon: f64, device: &B::Device) -> Self {
        Self {
            weight: Initializer::Ones.init([channels], device),
            bias: Initializer::Zeros.init([channels], device),
            groups,
            epsilon,
        }
    }
}

impl<B: MpmBackend> GroupNorm<B> {
    /// Normalises each group of channels of each picture.
    ///
    /// # Shapes
    /// - x, output: `[batch, channels, height, width]`
    ///
    /// # Panics
    /// When the channels are not those of the weight or do not divide into the groups.
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        group_norm(x, weight, bias, self.groups, self.epsilon)
    }

    /// The same, followed by SiLU in one pass.
    ///
    /// # Shapes
    /// - x, output: `[batch, channels, height, width]`
    ///
    /// # Panics
    /// As [`forward`](Self::forward).
    pub fn forward_silu(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let (weight, bias) = (self.weight.val(), self.bias.val());
        group_norm_silu(x, weight, bias, self.groups, self.epsilon)
    }
}
