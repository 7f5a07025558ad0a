//! What stands between the two layers of a feed-forward network.

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
}

impl Activation {
    /// Applies it to each value.
    pub fn forward<B: MpmBackend, const D: usize>(self, x: Tensor<B, D>) -> Tensor<B, D> {
        match self {
            Self::QuickGelu => x.clone() * sigmoid(x.mul_scalar(1.702)),
            Self::Gelu => gelu(x),
        }
    }
}
