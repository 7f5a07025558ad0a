//! What stands between the two layers of a feed-forward network.

use std::f64::consts::FRAC_2_PI;

use burn::tensor::{Tensor, activation::sigmoid};
use serde::{Deserialize, Serialize};

use crate::kernel::{MpmBackend, gelu};

/// The activation between the two layers of a feed-forward network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `x · σ(1.702 x)`, which OpenAI's CLIP models were trained with.
    #[default]
    QuickGelu,
    /// Exact GELU, with the error function.
    Gelu,
    /// GELU by its approximation with tanh, which SigLIP was trained with.
    #[serde(rename = "gelu_pytorch_tanh")]
    GeluTanh,
}

/// The coefficient of `x³` in the approximation of GELU.
const CUBIC: f64 = 0.044715;

impl Activation {
    /// Applies it to each value.
    pub fn forward<B: MpmBackend, const D: usize>(self, x: Tensor<B, D>) -> Tensor<B, D> {
        match self {
            Self::QuickGelu => x.clone() * sigmoid(x.mul_scalar(1.702)),
            Self::Gelu => gelu(x),
            Self::GeluTanh => gelu_tanh(x),
        }
    }
}

/// `x · (1 + tanh(√(2/π) · (x + 0.044715 x³))) / 2`.
///
/// `(1 + tanh(a)) / 2` is `σ(2 a)`, which is one operation.
fn gelu_tanh<B: MpmBackend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    let factor = x.clone().square().mul_scalar(CUBIC).add_scalar(1.0);
    let argument = (x.clone() * factor).mul_scalar(2.0 * FRAC_2_PI.sqrt());
    x * sigmoid(argument)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use super::*;
    use burn::backend::Flex;

    #[test]
    fn the_approximation_is_that_of_pytorch() {
        // torch.nn.functional.gelu(x, approximate="tanh")
        let x = Tensor::<Flex, 1>::from_floats([-3.0, -0.5, 0.0, 1.0, 20.0], &Default::default());
        let expected = [-0.003_637_4, -0.154_286, 0.0, 0.841_192, 20.0];
        let found = Activation::GeluTanh.forward(x).into_data();
        for (found, expected) in found.iter::<f32>().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }
}
