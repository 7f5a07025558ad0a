//! Moving tensors from a file into a module.

use std::{cell::Cell, fmt, rc::Rc, sync::Arc};

use burn::{
    module::Module,
    store::{BurnToPyTorchAdapter, ModuleSnapshot},
    tensor::{DType, backend::Backend},
};

use super::{
    KeyMap, WeightFile, WeightsError,
    filling::{failed_path, fill, snapshot},
    parameters::parameters,
    plan::{Pair, Plan, ToQuantize, plan},
};
use crate::quantization::QuantizationScheme;

/// The dtype that floating-point tensors get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// The file's: f16 stays f16.
    #[default]
    AsStored,
    /// This one; the cast is made tensor by tensor while loading.
    Cast(DType),
}

impl Precision {
    /// What becomes of a tensor of dtype `stored`.
    pub fn resolve(self, stored: DType) -> DType {
        match self {
            Self::Cast(target) if stored.is_float() => target,
            _ => stored,
        }
    }
}

/// Called after each tensor with the bytes read so far and in total.
pub type Progress = Arc<dyn Fn(usize, usize) + Send + Sync>;

/// How to load a file.
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// From the file's names to the module's.
    pub keys: KeyMap,
    /// The dtype of floating-point tensors.
    pub precision: Precision,
    /// How linear layers are quantized that the file has in full, by
    /// [`load_model`](super::load_model); `None` leaves them so.
    pub quantization: Option<QuantizationScheme>,
    /// How many bytes the weights may take on the device, for models whose layers can wait in the
    /// file ([`load_streamed`](super::load_streamed)); `None`: as many as they have.
    pub memory_limit: Option<u64>,
    /// Called while loading.
    pub progress: Option<Progress>,
}

impl fmt::Debug for LoadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadOptions")
            .field("keys", &self.keys)
            .field("precision", &self.precision)
            .field("quantization", &self.quantization)
            .field("memory_limit", &self.memory_limit)
            .finish_non_exhaustive()
    }
}

/// Loads every parameter of `module` from `file`.
///
/// Names, shapes and kinds of values are compared before anything is read; parameters that are
/// not initialised yet are never initialised in vain. Linear weights are
/// transposed and norms renamed from PyTorch's conventions to Burn's. Dimensions
/// of size 1 at the end of a shape do not count: a scalar fills a vector of one
/// element, a 1 × 1 convolution a linear layer.
///
/// # Errors
/// [`WeightsError::Mismatch`] with everything that does not fit, see [`KeyReport`](super::KeyReport);
/// [`WeightsError::Tensor`] when a tensor cannot be converted.
pub fn load<B: Backend, M: Module<B>>(
    module: M,
    file: &WeightFile,
    options: &LoadOptions,
) -> Result<M, WeightsError> {
    load_where(module, file, options, |_| true)
}

/// As [`load`], but only the parameters whose names in the module, as
/// [`module_keys`](super::module_keys) lists them, are `wanted`; the others stay as they are, and
/// the file must not have them.
///
/// # Errors
/// As [`load`].
pub fn load_where<B: Backend, M: Module<B>>(
    module: M,
    file: &WeightFile,
    options: &LoadOptions,
    wanted: impl Fn(&str) -> bool,
) -> Result<M, WeightsError> {
    let mut expected = parameters(&module);
    expected.retain(|key, _| wanted(key));
    let none = ToQuantize::new();
    let plan = plan(&expected, file, &options.keys, &none)?;
    load_planned(module, file, options, plan)
}

/// Reads what a plan pairs.
pub(super) fn load_planned<B: Backend, M: Module<B>>(
    mut module: M,
    file: &WeightFile,
    options: &LoadOptions,
    plan: Plan<'_>,
) -> Result<M, WeightsError> {
    let total = plan.values().map(Pair::byte_len).sum();
    let done = Rc::new(Cell::new(0));
    let snapshots = plan.into_iter().map(|(path, pair)| {
        let (dtype, bytes) = (pair.dtype(options.precision), pair.byte_len());
        let (source, done, progress) = (pair.source, done.clone(), options.progress.clone());
        let read = move || {
            let data = source.read(dtype)?;
            done.set(done.get() + bytes);
            if let Some(progress) = &progress {
                progress(done.get(), total);
            }
            Ok(data)
        };
        let path = path.split('.').map(str::to_string).collect();
        snapshot(path, dtype, &pair.parameter.shape, read)
    });
    match fill(&mut module, snapshots.collect()) {
        Ok(()) => Ok(module),
        Err(error) => Err(WeightsError::Tensor {
            path: file.path().to_path_buf(),
            key: options.keys.to_file(failed_path(&error)),
            reason: error.to_string(),
        }),
    }
}

/// Replaces those parameters of `module` whose names, as [`module_keys`](super::module_keys) lists
/// them, are `wanted` by those of `other`, a module of the same sizes.
///
/// # Errors
/// [`WeightsError::Parameter`] when they differ in shape.
pub fn copy_where<B: Backend, M: Module<B>>(
    mut module: M,
    other: &M,
    wanted: impl Fn(&str) -> bool,
) -> Result<M, WeightsError> {
    let mut snapshots = other.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true);
    snapshots.retain(|snapshot| wanted(&snapshot.full_path()));
    match fill(&mut module, snapshots) {
        Ok(()) => Ok(module),
        Err(error) => Err(WeightsError::Parameter {
            name: failed_path(&error).to_owned(),
            reason: error.to_string(),
        }),
    }
}

/// Finds out whether [`load`] would find every parameter of `module` in `file`, without reading
/// any: to learn of a wrong file before the work that comes first.
///
/// # Errors
/// [`WeightsError::Mismatch`] with everything that does not fit, see [`KeyReport`](super::KeyReport).
pub fn check<B: Backend, M: Module<B>>(
    module: &M,
    file: &WeightFile,
    keys: &KeyMap,
) -> Result<(), WeightsError> {
    plan(&parameters(module), file, keys, &ToQuantize::new()).map(drop)
}
