//! Where the values of a parameter come from.

use std::{cell::RefCell, io, rc::Rc};

use burn::{
    store::TensorSnapshotError,
    tensor::{DType, TensorData},
};

use super::StoredTensor;
use crate::quantization::{QuantizationScheme, Quantized, quantize};

/// Where the values of a parameter come from.
pub(super) enum ValueSource {
    /// The tensor is the parameter.
    Stored(StoredTensor),
    /// Codes of the tensor.
    Codes(Rc<WeightToQuantize>),
    /// Scales of the tensor.
    Scales(Rc<WeightToQuantize>),
}

impl ValueSource {
    /// Reads them, in this dtype.
    pub fn read(&self, dtype: DType) -> Result<TensorData, TensorSnapshotError> {
        match self {
            Self::Stored(tensor) => tensor.read_as(dtype).map_err(io_error),
            Self::Codes(weight) => weight.take(|made| &mut made.codes),
            Self::Scales(weight) => weight.take(|made| &mut made.scales),
        }
    }
}

/// A weight in full that becomes codes and scales while it is loaded. Both are made when the first
/// of them is asked for, and each is given away once.
pub(super) struct WeightToQuantize {
    tensor: StoredTensor,
    dims: [usize; 2],
    scheme: QuantizationScheme,
    made: RefCell<Option<Parts>>,
}

struct Parts {
    codes: Option<TensorData>,
    scales: Option<TensorData>,
}

impl WeightToQuantize {
    /// A tensor that becomes codes and scales of this scheme, as a matrix of these `dims`: its
    /// own, but for ones at the end.
    pub fn new(tensor: &StoredTensor, dims: [usize; 2], scheme: QuantizationScheme) -> Self {
        Self {
            tensor: tensor.clone(),
            dims,
            scheme,
            made: RefCell::default(),
        }
    }

    fn take(
        &self,
        part: impl Fn(&mut Parts) -> &mut Option<TensorData>,
    ) -> Result<TensorData, TensorSnapshotError> {
        let mut made = self.made.borrow_mut();
        if let Some(values) = made.as_mut().and_then(|made| part(made).take()) {
            return Ok(values);
        }
        let mut values = self.tensor.read().map_err(io_error)?;
        values.shape = self.dims.into();
        let Quantized { codes, scales, .. } = quantize(&values, self.scheme)
            .map_err(|error| TensorSnapshotError::DataError(error.to_string()))?;
        let made = made.insert(Parts {
            codes: Some(codes),
            scales: Some(scales),
        });
        let values = part(made).take();
        values.ok_or_else(|| TensorSnapshotError::DataError("it was read already".to_owned()))
    }
}

pub(super) fn io_error(error: io::Error) -> TensorSnapshotError {
    let reason = error.to_string();
    match error.kind() {
        io::ErrorKind::InvalidData => TensorSnapshotError::DataError(reason),
        _ => TensorSnapshotError::IoError(reason),
    }
}
