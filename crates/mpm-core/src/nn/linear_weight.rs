//! The weight of a linear layer, in full or in a few bits.

use burn::{
    module::{Module, Param, ParamId},
    tensor::{Int, Tensor, backend::Backend},
};

use crate::{
    kernel::{MpmBackend, linear},
    quantization::QuantizedMatrix,
};

/// A matrix `[d_out, d_in]`: the weight of a linear layer, or a table of embeddings.
///
/// In a file, one in full is called as the layer calls it, `weight`, and a quantized one is
/// `weight.codes` and `weight.scales`.
#[derive(Module, Debug)]
pub enum LinearWeight<B: Backend> {
    /// Floating-point numbers.
    Float(Param<Tensor<B, 2>>),
    /// Codes of 4 or 8 bits, which do not train.
    Quantized(QuantizedMatrix<B>),
}

impl<B: Backend> LinearWeight<B> {
    /// Height and width, `[d_out, d_in]`.
    pub fn dims(&self) -> [usize; 2] {
        match self {
            Self::Float(weight) => weight.lazy_shape().dims(),
            Self::Quantized(matrix) => [matrix.d_out(), matrix.d_in()],
        }
    }

    /// The device that it is on.
    pub fn device(&self) -> B::Device {
        match self {
            Self::Float(weight) => weight.lazy_device(),
            Self::Quantized(matrix) => matrix.scales.lazy_device(),
        }
    }

    /// The parameter, if it is in full.
    pub fn float(&self) -> Option<&Param<Tensor<B, 2>>> {
        match self {
            Self::Float(weight) => Some(weight),
            Self::Quantized(_) => None,
        }
    }

    /// The id of a parameter that only this weight has.
    pub(super) fn id(&self) -> ParamId {
        match self {
            Self::Float(weight) => weight.id,
            Self::Quantized(matrix) => matrix.scales.id,
        }
    }
}

impl<B: MpmBackend> LinearWeight<B> {
    /// `x · weightᵀ + bias`.
    ///
    /// # Shapes
    /// - x: `[..., d_in]`
    /// - bias: `[d_out]`
    /// - output: `[..., d_out]`
    ///
    /// # Panics
    /// When `x` has another width, or the bias another than the output.
    pub fn linear<const D: usize>(
        &self,
        x: Tensor<B, D>,
        bias: Option<Tensor<B, 1>>,
    ) -> Tensor<B, D> {
        match self {
            Self::Float(weight) => linear(x, weight.val(), bias),
            Self::Quantized(matrix) => matrix.linear(x, bias),
        }
    }

    /// As [`linear`](Self::linear), but only `count` of the outputs, from `first` on: the rows
    /// of the weight are cut, and not those of the output, which would be copied.
    ///
    /// # Panics
    /// When `x` has another width, or there are fewer outputs.
    pub fn linear_rows<const D: usize>(
        &self,
        x: Tensor<B, D>,
        bias: Option<Tensor<B, 1>>,
        first: usize,
        count: usize,
    ) -> Tensor<B, D> {
        match self {
            Self::Float(weight) => linear(x, weight.val().narrow(0, first, count), bias),
            Self::Quantized(matrix) => matrix.narrow_rows(first, count).linear(x, bias),
        }
    }

    /// Some of the rows, in the dtype of the weight and in f32 if it is quantized.
    ///
    /// # Shapes
    /// - rows: `[count]`, each below `d_out`
    /// - output: `[count, d_in]`
    pub fn select_rows(&self, rows: Tensor<B, 1, Int>) -> Tensor<B, 2> {
        match self {
            Self::Float(weight) => weight.val().select(0, rows),
            Self::Quantized(matrix) => matrix.select_rows(rows),
        }
    }
}

impl<B: Backend> From<Param<Tensor<B, 2>>> for LinearWeight<B> {
    fn from(weight: Param<Tensor<B, 2>>) -> Self {
        Self::Float(weight)
    }
}
