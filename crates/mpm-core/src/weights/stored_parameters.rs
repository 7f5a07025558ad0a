//! Parameters of a module that stay in their file.

use std::{cell::RefCell, io, path::Path, sync::Arc};

use burn::{
    module::Module,
    tensor::{DType, TensorData, backend::Backend},
};
use rayon::prelude::*;

use super::{
    StoredTensor, WeightsError,
    filling::{failed_path, fill, snapshot},
    value_source::io_error,
};

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

    /// Reads them into a module of their shapes.
    ///
    /// # Errors
    /// [`WeightsError::Tensor`] when one cannot be read: the file was cut off since it was opened.
    pub fn fill<B: Backend, M: Module<B>>(&self, mut module: M) -> Result<M, WeightsError> {
        // At the same time: one thread alone reads slower than a device takes what it reads.
        let values = self.parameters.par_iter().map(StoredParameter::read);
        let values: Vec<_> = values.collect();
        let snapshots = self.parameters.iter().zip(values);
        let snapshots = snapshots.map(|(parameter, values)| {
            let values = RefCell::new(Some(values));
            let take = move || values.take().unwrap_or_else(read_already).map_err(io_error);
            let (path, shape) = (parameter.path.clone(), &parameter.shape);
            snapshot(path, parameter.dtype, shape, take)
        });
        match fill(&mut module, snapshots.collect()) {
            Ok(()) => Ok(module),
            Err(error) => Err(WeightsError::Tensor {
                path: self.file.to_path_buf(),
                key: failed_path(&error).to_owned(),
                reason: error.to_string(),
            }),
        }
    }
}

impl StoredParameter {
    fn read(&self) -> io::Result<TensorData> {
        self.tensor.read_as(self.dtype)
    }
}

fn read_already() -> io::Result<TensorData> {
    Err(io::Error::other("it was read already"))
}
