//! Parameters of a module that stay in their file.

use std::{path::Path, rc::Rc, sync::Arc};

use burn::{
    module::{Module, ParamId},
    store::{ModuleSnapshot, PyTorchToBurnAdapter, TensorSnapshot},
    tensor::{DType, Shape, backend::Backend},
};

use super::{StoredTensor, WeightsError, load::failed_path, value_source::io_error};

/// Where the parameters of a module lie in a file, which is open as long as this is there. Cloning
/// is cheap.
#[derive(Clone, Debug)]
pub struct StoredParameters {
    file: Arc<Path>,
    parameters: Arc<[StoredParameter]>,
}

/// A parameter and the tensor that it is.
#[derive(Debug)]
pub(super) struct StoredParameter {
    /// Within the module.
    pub path: Vec<String>,
    pub tensor: StoredTensor,
    pub dtype: DType,
    pub shape: Vec<usize>,
}

impl StoredParameters {
    pub(super) fn new(file: &Path, parameters: Vec<StoredParameter>) -> Self {
        Self {
            file: file.into(),
            parameters: parameters.into(),
        }
    }

    /// What they take on a device, in bytes.
    pub fn byte_len(&self) -> usize {
        let bytes = |parameter: &StoredParameter| {
            parameter.shape.iter().product::<usize>() * parameter.dtype.size()
        };
        self.parameters.iter().map(bytes).sum()
    }

    /// Reads them into a module of their shapes.
    ///
    /// # Errors
    /// [`WeightsError::Tensor`] when one cannot be read: the file was cut off since it was opened.
    pub fn fill<B: Backend, M: Module<B>>(&self, mut module: M) -> Result<M, WeightsError> {
        let snapshots = self.parameters.iter().map(|parameter| {
            let (tensor, dtype) = (parameter.tensor.clone(), parameter.dtype);
            let shape = Shape::from(parameter.shape.clone());
            let data_shape = shape.clone();
            let read = move || {
                let mut data = tensor.read_as(dtype).map_err(io_error)?;
                data.shape = data_shape.clone();
                Ok(data)
            };
            let path = parameter.path.clone();
            let id = ParamId::new();
            TensorSnapshot::from_closure(Rc::new(read), dtype, shape, path, Vec::new(), id)
        });
        let adapter = Box::new(PyTorchToBurnAdapter);
        let result = module.apply(snapshots.collect(), None, Some(adapter), true);
        match result.errors.first() {
            None => Ok(module),
            Some(error) => Err(WeightsError::Tensor {
                path: self.file.to_path_buf(),
                key: failed_path(error).to_owned(),
                reason: error.to_string(),
            }),
        }
    }
}
