//! The two matrices of a layer.

use std::num::NonZeroUsize;

use burn::{
    module::{Module, Param, ParamId},
    tensor::{DType, Distribution, Tensor, backend::Backend},
};
use serde::{Deserialize, Serialize};

use crate::kernel::{MpmBackend, linear};

/// The size of adapters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraConfig {
    /// Rows of `A` and columns of `B`: how much an adapter can learn.
    pub rank: NonZeroUsize,
    /// Times `1 / rank`, the weight of the adapter beside its layer. With `alpha` fixed, the
    /// learning rate needs no change for another rank.
    pub alpha: f64,
}

impl LoraConfig {
    /// `alpha / rank`.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank.get() as f64
    }
}

/// What a layer learns beside its weight.
#[derive(Module, Debug)]
pub struct Lora<B: Backend> {
    /// `[rank, d_in]`
    pub a: Param<Tensor<B, 2>>,
    /// `[d_out, rank]`
    pub b: Param<Tensor<B, 2>>,
    scale: f64,
}

impl<B: Backend> Lora<B> {
    /// An adapter that changes nothing yet; the values of `A` are uniform in ± `bound`.
    pub(super) fn new(
        config: LoraConfig,
        [d_out, d_in]: [usize; 2],
        bound: f64,
        device: &B::Device,
    ) -> Self {
        let rank = config.rank.get();
        // Drawn at once: copies of a parameter that nobody has read would draw other values.
        let uniform = Distribution::Uniform(-bound, bound);
        Self::from_tensors(
            Tensor::random([rank, d_in], uniform, device),
            Tensor::zeros([d_out, rank], device),
            config.scale(),
        )
    }

    pub(super) fn from_tensors(a: Tensor<B, 2>, b: Tensor<B, 2>, scale: f64) -> Self {
        let parameter = |values: Tensor<B, 2>| {
            Param::initialized(ParamId::new(), values.set_require_grad(true))
        };
        Self {
            a: parameter(a),
            b: parameter(b),
            scale,
        }
    }

    /// `alpha / rank`.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// What is added to the layer's weight, `[d_out, d_in]`, in f32.
    pub fn delta(&self) -> Tensor<B, 2> {
        let [a, b] = [&self.a, &self.b].map(|matrix| matrix.val().cast(DType::F32));
        b.matmul(a).mul_scalar(self.scale)
    }
}

impl<B: MpmBackend> Lora<B> {
    /// What is added to the layer's output, in the dtype of `x`.
    ///
    /// # Shapes
    /// - x: `[..., d_in]`
    /// - output: `[..., d_out]`
    ///
    /// # Panics
    /// When `x` has another width.
    pub fn forward<const D: usize>(&self, x: Tensor<B, D>) -> Tensor<B, D> {
        self.apply(x, self.b.val())
    }

    /// What is added to `count` of the outputs, from `first` on, in the dtype of `x`.
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
        self.apply(x, self.b.val().narrow(0, first, count))
    }

    /// The product with `A` and some rows of `B`. Beside a layer of half precision, `x` is
    /// narrower than the adapter.
    fn apply<const D: usize>(&self, x: Tensor<B, D>, b: Tensor<B, 2>) -> Tensor<B, D> {
        let (a, dtype) = (self.a.val(), x.dtype());
        // `[..., rank]` is where the scale costs least.
        let short = linear(x.cast(a.dtype()), a, None).mul_scalar(self.scale);
        linear(short, b, None).cast(dtype)
    }
}
