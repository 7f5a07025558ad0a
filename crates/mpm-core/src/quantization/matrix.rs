//! A quantized matrix as a part of a model.

use burn::{
    module::{Module, Param, ParamId},
    tensor::{DType, Int, Tensor, backend::Backend},
};

use super::{Layout, QuantizationError, QuantizationScheme, Quantized};
use crate::kernel::{MpmBackend, dequantized, quantized_linear};

/// A frozen matrix `[d_out, d_in]` in 4 or 8 bits: the weight of a linear layer or an embedding
/// table.
#[derive(Module, Debug)]
pub struct QuantizedMatrix<B: Backend> {
    /// u32 `[d_out, d_in * bits / 32]`
    pub codes: Param<Tensor<B, 2, Int>>,
    /// f16 `[d_out, d_in / block]`
    pub scales: Param<Tensor<B, 2>>,
    d_in: usize,
}

impl<B: Backend> QuantizedMatrix<B> {
    /// Moves a matrix to a device.
    pub fn from_quantized(quantized: Quantized, device: &B::Device) -> Self {
        // the default types of the backend would widen both
        let codes = Tensor::from_data(quantized.codes, (device, DType::U32));
        let scales = Tensor::from_data(quantized.scales, (device, DType::F16));
        Self::from_tensors(codes, scales, quantized.d_in)
    }

    /// A matrix `[d_out, d_in]` to be loaded into: all codes are 0 until then.
    ///
    /// # Errors
    /// [`QuantizationError::Width`] when the width does not suit the scheme.
    pub fn unread(
        scheme: QuantizationScheme,
        [d_out, d_in]: [usize; 2],
        device: &B::Device,
    ) -> Result<Self, QuantizationError> {
        let layout = Layout::new(scheme, [d_out, d_in])?;
        let (codes, scales) = (layout.codes(), layout.scales());
        Ok(Self {
            codes: Param::uninitialized(
                ParamId::new(),
                move |device, _| Tensor::zeros(codes, (device, DType::U32)),
                device.clone(),
                false,
                codes.into(),
            ),
            scales: Param::uninitialized(
                ParamId::new(),
                move |device, _| Tensor::zeros(scales, (device, DType::F16)),
                device.clone(),
                false,
                scales.into(),
            ),
            d_in,
        })
    }

    /// A matrix of width `d_in` of these parts.
    ///
    /// # Errors
    /// When shapes or types are not those of the [format](super).
    pub fn new(
        codes: Tensor<B, 2, Int>,
        scales: Tensor<B, 2>,
        d_in: usize,
    ) -> Result<Self, QuantizationError> {
        Layout::infer(codes.dims(), scales.dims(), d_in)?;
        let types = (codes.dtype(), scales.dtype());
        if types != (DType::U32, DType::F16) {
            let (codes, scales) = types;
            return Err(QuantizationError::Types { codes, scales });
        }
        Ok(Self::from_tensors(codes, scales, d_in))
    }

    fn from_tensors(codes: Tensor<B, 2, Int>, scales: Tensor<B, 2>, d_in: usize) -> Self {
        Self {
            codes: Param::initialized(ParamId::new(), codes),
            // codes cannot train, and scales alone are not meant to
            scales: Param::initialized(ParamId::new(), scales.set_require_grad(false)),
            d_in,
        }
    }

    /// Width: the number of columns.
    pub fn d_in(&self) -> usize {
        self.d_in
    }

    /// Height: the number of rows.
    pub fn d_out(&self) -> usize {
        self.codes.lazy_shape()[0]
    }

    /// How the matrix is quantized. A block that happens to be a whole row counts as a block.
    ///
    /// # Errors
    /// When the parameters were replaced by others that do not fit.
    pub fn scheme(&self) -> Result<QuantizationScheme, QuantizationError> {
        let (codes, scales) = (self.codes.lazy_shape(), self.scales.lazy_shape());
        let (codes, scales) = (codes.dims(), scales.dims());
        let d_in = self.d_in;
        let layout = Layout::infer(codes, scales, d_in)?;
        layout.scheme().ok_or(QuantizationError::Layout {
            codes,
            scales,
            d_in,
        })
    }

    /// `count` of the rows, from `first` on.
    ///
    /// # Panics
    /// When there are fewer.
    #[must_use]
    pub fn narrow_rows(&self, first: usize, count: usize) -> Self {
        let codes = self.codes.val().narrow(0, first, count);
        let scales = self.scales.val().narrow(0, first, count);
        Self::from_tensors(codes, scales, self.d_in)
    }
}

impl<B: MpmBackend> QuantizedMatrix<B> {
    /// The matrix in f32, exactly what its codes mean.
    ///
    /// # Shapes
    /// - output: `[d_out, d_in]`
    pub fn dequantize(&self) -> Tensor<B, 2> {
        dequantized(self.codes.val(), self.scales.val(), self.d_in)
    }

    /// Some of the rows in f32; only these are dequantized.
    ///
    /// # Shapes
    /// - rows: `[count]`, each below `d_out`
    /// - output: `[count, d_in]`
    pub fn select_rows(&self, rows: Tensor<B, 1, Int>) -> Tensor<B, 2> {
        let codes = self.codes.val().select(0, rows.clone());
        dequantized(codes, self.scales.val().select(0, rows), self.d_in)
    }

    /// `x · matrixᵀ + bias`, see [`quantized_linear`].
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
        // codes of 4 bits could be taken for half as many of 8
        let (width, d_in) = (x.dims()[D - 1], self.d_in);
        assert!(
            width == d_in,
            "an input of width {width} does not fit a linear layer of {d_in}"
        );
        quantized_linear(x, self.codes.val(), self.scales.val(), bias)
    }
}
