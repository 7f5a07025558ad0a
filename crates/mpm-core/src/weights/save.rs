//! Writing a module as safetensors.

use std::{borrow::Cow, cell::OnceCell, collections::HashMap, io, path::Path, rc::Rc};

use burn::{
    module::Module,
    store::{BurnToPyTorchAdapter, ModuleSnapshot, TensorSnapshot},
    tensor::{DType, backend::Backend},
};
use safetensors::{Dtype, View, tensor::serialize_to_file};

use super::{KeyMap, Precision, WeightsError, parameters::is_quantized, values::converted};
use crate::atomic;

/// Writes all parameters of `module` to `path` under PyTorch's names, mapped
/// back through `keys`.
///
/// The file appears under its name when it is complete and on the disk; until
/// then an older file stays as it was.
///
/// # Errors
/// [`WeightsError::Io`] when the folder cannot be written, for instance because
/// the disk is full; [`WeightsError::Tensor`] when numbers would become infinite in `precision`.
pub fn save<B: Backend, M: Module<B>>(
    module: &M,
    path: impl AsRef<Path>,
    keys: &KeyMap,
    precision: Precision,
) -> Result<(), WeightsError> {
    save_where(module, path, keys, precision, |_| true)
}

/// As [`save`], but only the parameters whose names in the module, as
/// [`module_keys`](super::module_keys) lists them, are `wanted`.
///
/// # Errors
/// As [`save`].
pub fn save_where<B: Backend, M: Module<B>>(
    module: &M,
    path: impl AsRef<Path>,
    keys: &KeyMap,
    precision: Precision,
    wanted: impl Fn(&str) -> bool,
) -> Result<(), WeightsError> {
    let path = path.as_ref();
    let failure = Rc::new(OnceCell::new());
    let tensors = module
        .collect(None, Some(Box::new(BurnToPyTorchAdapter)), true)
        .into_iter()
        .filter(|snapshot| wanted(&snapshot.full_path()))
        .map(|snapshot| {
            let key = keys.to_file(&snapshot.full_path());
            let parameter = Parameter::new(key.clone(), snapshot, precision, failure.clone());
            let parameter = parameter.map_err(|failure| failure.in_file(path))?;
            Ok((key, parameter))
        })
        .collect::<Result<Vec<_>, WeightsError>>()?;
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let written = atomic::write(path, |temporary| {
        serialize_to_file(tensors, Some(metadata), temporary).map_err(io::Error::other)?;
        match failure.get() {
            None => Ok(()),
            // An error of any kind, so that the file does not get its name.
            Some(Failure { reason, .. }) => Err(io::Error::other(reason.clone())),
        }
    });
    written.map_err(|error| match failure.get() {
        None => WeightsError::io(path, error),
        Some(failure) => failure.clone().in_file(path),
    })
}

/// Why a parameter cannot be written.
#[derive(Clone)]
struct Failure {
    key: String,
    reason: String,
}

impl Failure {
    fn in_file(self, path: &Path) -> WeightsError {
        WeightsError::Tensor {
            path: path.to_path_buf(),
            key: self.key,
            reason: self.reason,
        }
    }
}

/// A parameter on its way into the file, read when its turn comes.
struct Parameter {
    key: String,
    snapshot: TensorSnapshot,
    shape: Vec<usize>,
    target: DType,
    dtype: Dtype,
    /// The first failure of all parameters: a [`View`] cannot return it.
    failure: Rc<OnceCell<Failure>>,
}

impl Parameter {
    fn new(
        key: String,
        snapshot: TensorSnapshot,
        precision: Precision,
        failure: Rc<OnceCell<Failure>>,
    ) -> Result<Self, Failure> {
        let containers = snapshot.container_stack.as_deref().unwrap_or_default();
        let target = match is_quantized(containers) {
            true => snapshot.dtype,
            false => precision.resolve(snapshot.dtype),
        };
        let Some(dtype) = file_dtype(target) else {
            let reason = format!("safetensors has no dtype {target:?}");
            return Err(Failure { key, reason });
        };
        Ok(Self {
            shape: snapshot.shape.to_vec(),
            key,
            snapshot,
            target,
            dtype,
            failure,
        })
    }
}

impl View for Parameter {
    fn dtype(&self) -> Dtype {
        self.dtype
    }

    fn shape(&self) -> &[usize] {
        &self.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let read = self.snapshot.to_data().map_err(|error| error.to_string());
        let written = read
            .and_then(|values| converted(values, self.target).map_err(|error| error.to_string()));
        match written {
            Ok(values) => Cow::Owned(values.as_bytes().to_vec()),
            Err(reason) => {
                self.failure.get_or_init(|| Failure {
                    key: self.key.clone(),
                    reason,
                });
                Cow::Owned(vec![0; self.data_len()])
            }
        }
    }

    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.target.size()
    }
}

pub(super) fn file_dtype(dtype: DType) -> Option<Dtype> {
    Some(match dtype {
        DType::F64 => Dtype::F64,
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::U32 => Dtype::U32,
        DType::I64 => Dtype::I64,
        DType::I32 => Dtype::I32,
        DType::I16 => Dtype::I16,
        DType::I8 => Dtype::I8,
        DType::U8 => Dtype::U8,
        DType::Bool(_) => Dtype::BOOL,
        _ => return None,
    })
}
