//! A linear layer whose weight lies as checkpoints have it.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Tensor, backend::Backend},
};

use crate::kernel::{MpmBackend, linear};

/// A linear layer, `y = x · Wᵀ + b`, whose weight lies as PyTorch's `nn.Linear` stores it.
///
/// Burn's `Linear` holds the transpose. This one loads without turning weights around, and
/// runs on [`kernel::linear`](linear()). Its name keeps Burn's PyTorch adapter, which knows
/// layers by their names, from transposing the weight.
#[derive(Module, Debug)]
pub struct TorchLinear<B: Backend> {
    /// `[d_out, d_in]`
    pub weight: Param<Tensor<B, 2>>,
    /// `[d_out]`
    pub bias: Option<Param<Tensor<B, 1>>>,
}

impl<B: Backend> TorchLinear<B> {
    /// A layer with a bias that starts as PyTorch's does: all values uniform in ±1/√d_in.
    pub fn new(d_in: usize, d_out: usize, device: &B::Device) -> Self {
        let bound = (d_in as f64).sqrt().recip();
        let uniform = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        Self {
            weight: uniform.init([d_out, d_in], device),
            bias: Some(uniform.init([d_out], device)),
        }
    }

    /// The same layer without a bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: None, ..self }
    }

    /// Width of the input.
    pub fn d_in(&self) -> usize {
        self.weight.shape()[1]
    }

    /// Width of the output.
    pub fn d_out(&self) -> usize {
        self.weight.shape()[0]
    }
}

impl<B: MpmBackend> TorchLinear<B> {
    /// Transforms the last dimension.
    ///
    /// # Shapes
    /// - x: `[..., d_in]`
    /// - output: `[..., d_out]`
    pub fn forward<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        let bias = self.bias.as_ref().map(Param::val);
        linear(x, self.weight.val(), bias)
    }
}
