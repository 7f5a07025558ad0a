//! A linear layer whose weight lies as checkpoints have it.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Tensor, backend::Backend},
};

use super::{LinearLayer, LinearLayers, LinearRole, LinearWeight};
use crate::{kernel::MpmBackend, lora::Lora, quantization::QuantizedBits};

/// A linear layer, `y = x · Wᵀ + b`, whose weight lies as PyTorch's `nn.Linear` stores it.
///
/// Burn's `Linear` holds the transpose. This one loads without turning weights around, and
/// runs on [`kernel::linear`](crate::kernel::linear()). Its name keeps Burn's PyTorch adapter, which knows
/// layers by their names, from transposing the weight.
#[derive(Module, Debug)]
pub struct TorchLinear<B: Backend> {
    /// `[d_out, d_in]`
    pub weight: LinearWeight<B>,
    /// `[d_out]`
    pub bias: Option<Param<Tensor<B, 1>>>,
    /// What trains beside a frozen weight, see [`lora`](crate::lora).
    pub lora: Option<Lora<B>>,
}

impl<B: Backend> TorchLinear<B> {
    /// A layer with a bias that starts as PyTorch's does: all values uniform in ±1/√d_in.
    pub fn new(d_in: usize, d_out: usize, device: &B::Device) -> Self {
        let bound = (d_in as f64).sqrt().recip();
        let uniform = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        let weight = uniform.init([d_out, d_in], device);
        Self::from_parameters(weight, Some(uniform.init([d_out], device)))
    }

    /// A layer of these parameters: `[d_out, d_in]` and `[d_out]`.
    pub fn from_parameters(weight: Param<Tensor<B, 2>>, bias: Option<Param<Tensor<B, 1>>>) -> Self {
        Self {
            weight: weight.into(),
            bias,
            lora: None,
        }
    }

    /// The same layer without a bias.
    #[must_use]
    pub fn without_bias(self) -> Self {
        Self { bias: None, ..self }
    }

    /// Width of the input.
    pub fn d_in(&self) -> usize {
        self.weight.dims()[1]
    }

    /// Width of the output.
    pub fn d_out(&self) -> usize {
        self.weight.dims()[0]
    }
}

impl<B: MpmBackend> TorchLinear<B> {
    /// Transforms the last dimension.
    ///
    /// # Shapes
    /// - x: `[..., d_in]`
    /// - output: `[..., d_out]`
    ///
    /// # Panics
    /// When `x` has another width.
    pub fn forward<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        let bias = self.bias.as_ref().map(Param::val);
        let learnt = self.lora.as_ref().map(|lora| lora.forward(x.clone()));
        sum(self.weight.linear(x, bias), learnt)
    }

    /// As [`forward`](Self::forward), but only `count` of the outputs, from `first` on: the rows
    /// of the weight are cut, and not those of the output, which would be copied.
    ///
    /// # Shapes
    /// - x: `[..., d_in]`
    /// - output: `[..., count]`
    ///
    /// # Panics
    /// When `x` has another width, or the layer has fewer outputs.
    pub fn forward_rows<const D: usize>(
        &self,
        x: Tensor<B, D>,
        first: usize,
        count: usize,
    ) -> Tensor<B, D> {
        let bias = self.bias.as_ref();
        let bias = bias.map(|bias| bias.val().narrow(0, first, count));
        let lora = self.lora.as_ref();
        let learnt = lora.map(|lora| lora.forward_rows(x.clone(), first, count));
        sum(self.weight.linear_rows(x, bias, first, count), learnt)
    }
}

fn sum<B: Backend, const D: usize>(
    output: Tensor<B, D>,
    learnt: Option<Tensor<B, D>>,
) -> Tensor<B, D> {
    match learnt {
        Some(learnt) => output + learnt,
        None => output,
    }
}

impl<B: Backend> LinearLayers<B> for TorchLinear<B> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        let bound = (self.d_in() as f64).sqrt().recip();
        visit(LinearLayer {
            weight: &mut self.weight,
            role: LinearRole::Layer {
                lora: &mut self.lora,
                bound,
            },
            fewest_bits: QuantizedBits::Int4,
        });
    }
}
