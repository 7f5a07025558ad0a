//! Values on their way into the parameters of a module.

use std::rc::Rc;

use burn::{
    module::{Module, ParamId},
    store::{
        ApplyError, ModuleSnapshot, PyTorchToBurnAdapter, TensorSnapshot, TensorSnapshotError,
    },
    tensor::{DType, Shape, TensorData, backend::Backend},
};

/// Values for a parameter, which are read when its turn comes.
pub(super) fn snapshot(
    path: Vec<String>,
    dtype: DType,
    shape: &[usize],
    read: impl Fn() -> Result<TensorData, TensorSnapshotError> + 'static,
) -> TensorSnapshot {
    let shape = Shape::from(shape.to_vec());
    let data_shape = shape.clone();
    let read = move || {
        let mut data = read()?;
        // That of the file may differ by dimensions of size 1.
        data.shape = data_shape.clone();
        Ok(data)
    };
    TensorSnapshot::from_closure(
        Rc::new(read),
        dtype,
        shape,
        path,
        Vec::new(),
        ParamId::new(),
    )
}

/// Fills the parameters of a module with values in PyTorch's order. Returns the first of the
/// errors, if there are some.
pub(super) fn fill<B: Backend, M: Module<B>>(
    module: &mut M,
    snapshots: Vec<TensorSnapshot>,
) -> Result<(), ApplyError> {
    let result = module.apply(snapshots, None, Some(Box::new(PyTorchToBurnAdapter)), true);
    match result.errors.into_iter().next() {
        None => Ok(()),
        Some(error) => Err(error),
    }
}

/// The path of the parameter that an error is about.
pub(super) fn failed_path(error: &ApplyError) -> &str {
    match error {
        ApplyError::ShapeMismatch { path, .. }
        | ApplyError::DTypeMismatch { path, .. }
        | ApplyError::AdapterError { path, .. }
        | ApplyError::LoadError { path, .. } => path,
    }
}
