//! Computing in half precision beside parameters in full precision.
//!
//! Source: "Mixed Precision Training", <https://arxiv.org/abs/1710.03740>. A step of training
//! is often smaller than the distance of two neighbouring f16 numbers, so the parameters that
//! train are kept in f32, and each step computes with a copy of them.

use burn::module::{AutodiffModule, ModuleMapper, Param};
use burn::tensor::{DType, Tensor, backend::AutodiffBackend};
use serde::{Deserialize, Serialize};

/// In which numbers forward and backward passes are computed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ComputePrecision {
    /// In those of the parameters as they are.
    #[default]
    F32,
    /// f16, with a loss that is scaled: small gradients would vanish.
    F16,
    /// bf16, which has the range of f32.
    Bf16,
}

impl ComputePrecision {
    /// The half-precision type; `None` for full precision.
    pub fn half(self) -> Option<DType> {
        match self {
            Self::F32 => None,
            Self::F16 => Some(DType::F16),
            Self::Bf16 => Some(DType::BF16),
        }
    }
}

/// The model to keep: what trains in f32, what is frozen in the type to compute in.
pub(crate) fn master<B: AutodiffBackend, M: AutodiffModule<B>>(model: M, half: DType) -> M {
    model.map(&mut Caster {
        trainable: DType::F32,
        frozen: half,
    })
}

/// The model to compute with: everything in half precision, with leaves of its own.
pub(crate) fn compute_copy<B: AutodiffBackend, M: AutodiffModule<B>>(master: &M, half: DType) -> M {
    master.clone().map(&mut Caster {
        trainable: half,
        frozen: half,
    })
}

struct Caster {
    trainable: DType,
    frozen: DType,
}

impl<B: AutodiffBackend> ModuleMapper<B> for Caster {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let trains = param.is_require_grad();
        let dtype = if trains { self.trainable } else { self.frozen };
        param.map(|tensor| {
            let tensor = tensor.inner();
            let cast = match tensor.dtype() == dtype {
                true => tensor,
                false => tensor.cast(dtype),
            };
            Tensor::from_inner(cast).set_require_grad(trains)
        })
    }
}
