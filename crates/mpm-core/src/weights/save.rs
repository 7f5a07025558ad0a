//! Writing a module as safetensors.

use std::{borrow::Cow, collections::HashMap, io, path::Path};

use burn::{
    module::Module,
    store::{BurnToPyTorchAdapter, ModuleSnapshot, TensorSnapshot},
    tensor::{DType, backend::Backend},
};
use safetensors::{Dtype, View, tensor::serialize_to_file};

use super::{KeyMap, Precision, WeightsError, parameters::is_quantized};
use crate::atomic;

/// Writes all parameters of `module` to `path` under PyTorch's names, mapped
/// back through `keys`.
///
/// The file appears under its name when it is complete and on the disk; until
/// then an older file stays as it was.
///
/// # Errors
/// [`WeightsError::Io`] when the folder cannot be written, for instance because
/// the disk is full.
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
    let tensors = module
        .collect(None, Some(Box::new(BurnToPyTorchAdapter)), true)
        .into_iter()
        .filter(|snapshot| wanted(&snapshot.full_path()))
        .map(|snapshot| {
            let key = keys.to_file(&snapshot.full_path());
            Ok((key.clone(), Parameter::new(path, key, snapshot, precision)?))
        })
        .collect::<Result<Vec<_>, WeightsError>>()?;
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    atomic::write(path, |temporary| {
        serialize_to_file(tensors, Some(metadata), temporary).map_err(io::Error::other)
    })
    .map_err(|error| WeightsError::io(path, error))
}

/// A parameter on its way into the file, read when its turn comes.
struct Parameter {
    snapshot: TensorSnapshot,
    shape: Vec<usize>,
    target: DType,
    dtype: Dtype,
}

impl Parameter {
    fn new(
        path: &Path,
        key: String,
        snapshot: TensorSnapshot,
        precision: Precision,
    ) -> Result<Self, WeightsError> {
        let containers = snapshot.container_stack.as_deref().unwrap_or_default();
        let target = match is_quantized(containers) {
            true => snapshot.dtype,
            false => precision.resolve(snapshot.dtype),
        };
        let dtype = file_dtype(target).ok_or_else(|| WeightsError::Tensor {
            path: path.to_path_buf(),
            key,
            reason: format!("safetensors has no dtype {target:?}"),
        })?;
        Ok(Self {
            shape: snapshot.shape.to_vec(),
            snapshot,
            target,
            dtype,
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
        let data = self
            .snapshot
            .to_data()
            .expect("a parameter of an initialised module can be read");
        Cow::Owned(data.convert_dtype(self.target).as_bytes().to_vec())
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
