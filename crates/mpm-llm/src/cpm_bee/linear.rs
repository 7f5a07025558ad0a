//! Linear layer with a scaled input, `VisCPM/models/modules/linear.py`.

use burn::{
    module::{Initializer, Module},
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    lora::Lora,
    nn::{LinearLayer, LinearLayers, LinearRole, LinearWeight},
    quantization::QuantizedBits,
};

/// `y = (x / √d_in) · Wᵀ`: a linear layer without bias whose weight has unit
/// variance.
///
/// The weight is kept `[d_out, d_in]`, as the checkpoint has it. The input is
/// scaled, not the output: this is the order that cannot overflow f16, and it
/// lets layers that read the same input share the scaled input
/// ([`ScaledLinear::scale_input`], [`ScaledLinear::project`]).
#[derive(Module, Debug)]
pub struct ScaledLinear<B: Backend> {
    /// `[d_out, d_in]`.
    pub weight: LinearWeight<B>,
    /// What trains beside a frozen weight, see [`mpm_core::lora`]; it reads the scaled input.
    pub lora: Option<Lora<B>>,
}

impl<B: Backend> ScaledLinear<B> {
    /// A layer with weights drawn from N(0, 1).
    pub fn new(d_in: usize, d_out: usize, device: &B::Device) -> Self {
        let unit = Initializer::Normal {
            mean: 0.0,
            std: 1.0,
        };
        Self {
            weight: LinearWeight::Float(unit.init([d_out, d_in], device)),
            lora: None,
        }
    }

    /// `x / √d_in`, the input that [`project`](Self::project) expects.
    pub fn scale_input(x: Tensor<B, 3>) -> Tensor<B, 3> {
        let d_in = x.dims()[2] as f64;
        x.mul_scalar(d_in.sqrt().recip())
    }
}

impl<B: MpmBackend> ScaledLinear<B> {
    /// Scales and projects.
    ///
    /// # Shapes
    /// - x: `[batch, seq, d_in]`
    /// - output: `[batch, seq, d_out]`
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        self.project(Self::scale_input(x))
    }

    /// The product with the weight, of an input that is scaled already.
    pub fn project(&self, scaled: Tensor<B, 3>) -> Tensor<B, 3> {
        let learnt = self.lora.as_ref().map(|lora| lora.forward(scaled.clone()));
        let output = self.weight.linear(scaled, None);
        match learnt {
            Some(learnt) => output + learnt,
            None => output,
        }
    }
}

impl<B: Backend> LinearLayers<B> for ScaledLinear<B> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        visit(LinearLayer {
            weight: &mut self.weight,
            role: LinearRole::Layer {
                lora: &mut self.lora,
                // The input is scaled, so weights are not.
                bound: 1.0,
            },
            fewest_bits: QuantizedBits::Int4,
        });
    }
}
