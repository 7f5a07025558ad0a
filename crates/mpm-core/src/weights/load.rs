//! Moving tensors from a file into a module.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
    rc::Rc,
    sync::Arc,
};

use burn::{
    module::{Module, ParamId},
    store::{
        ApplyError, BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter, TensorSnapshot,
        TensorSnapshotError as SnapshotError,
    },
    tensor::{DType, Shape, backend::Backend},
};

use super::{
    KeyMap, KeyReport, ParameterKind, StoredTensor, WeightFile, WeightsError,
    parameters::{Parameter, parameters},
};

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
    /// Called while loading.
    pub progress: Option<Progress>,
}

impl fmt::Debug for LoadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadOptions")
            .field("keys", &self.keys)
            .field("precision", &self.precision)
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
/// [`WeightsError::Mismatch`] with everything that does not fit, see [`KeyReport`];
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
    mut module: M,
    file: &WeightFile,
    options: &LoadOptions,
    wanted: impl Fn(&str) -> bool,
) -> Result<M, WeightsError> {
    let mut expected = parameters(&module);
    expected.retain(|key, _| wanted(key));
    let plan = plan(&expected, file, &options.keys)?;
    let total = plan.values().map(|pair| pair.tensor.byte_len()).sum();
    let done = Rc::new(std::cell::Cell::new(0));
    let snapshots = plan
        .into_iter()
        .map(|(path, pair)| {
            let tensor = pair.tensor.clone();
            let dtype = options.precision.resolve(tensor.burn_dtype());
            let progress = options.progress.clone();
            let done = done.clone();
            let shape = Shape::from(pair.parameter.shape.clone());
            let data_shape = shape.clone();
            let read = move || {
                let read = tensor.read_as(dtype);
                let mut data = read.map_err(|error| SnapshotError::IoError(error.to_string()))?;
                data.shape = data_shape.clone();
                done.set(done.get() + tensor.byte_len());
                if let Some(progress) = &progress {
                    progress(done.get(), total);
                }
                Ok(data)
            };
            TensorSnapshot::from_closure(
                Rc::new(read),
                dtype,
                shape,
                path.split('.').map(str::to_string).collect(),
                Vec::new(),
                ParamId::new(),
            )
        })
        .collect();
    let result = module.apply(snapshots, None, Some(Box::new(PyTorchToBurnAdapter)), true);
    match result.errors.first() {
        None => Ok(module),
        Some(error) => Err(WeightsError::Tensor {
            path: file.path().to_path_buf(),
            key: options.keys.to_file(failed_path(error)),
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
    let result = module.apply(snapshots, None, Some(Box::new(PyTorchToBurnAdapter)), true);
    match result.errors.first() {
        None => Ok(module),
        Some(error) => Err(WeightsError::Parameter {
            name: failed_path(error).to_owned(),
            reason: error.to_string(),
        }),
    }
}

/// Finds out whether [`load`] would find every parameter of `module` in `file`, without reading
/// any: to learn of a wrong file before the work that comes first.
///
/// # Errors
/// [`WeightsError::Mismatch`] with everything that does not fit, see [`KeyReport`].
pub fn check<B: Backend, M: Module<B>>(
    module: &M,
    file: &WeightFile,
    keys: &KeyMap,
) -> Result<(), WeightsError> {
    plan(&parameters(module), file, keys).map(drop)
}

/// A parameter and the tensor that fills it.
struct Pair<'a> {
    parameter: &'a Parameter,
    /// The tensor's name in the file.
    key: &'a str,
    tensor: &'a StoredTensor,
}

impl Pair<'_> {
    /// Notes whether the tensor has the values that the parameter needs.
    fn compare(&self, report: &mut KeyReport) {
        let Parameter { shape, kind } = self.parameter;
        let (key, found) = (self.key.to_owned(), self.tensor.shape());
        let is_of_kind = ParameterKind::of(self.tensor.burn_dtype()) == *kind;
        match (is_of_kind, fits(shape, found)) {
            (true, true) => report.matching += 1,
            (true, false) => report.misshapen.push((key, shape.clone(), found.to_vec())),
            (false, _) => report.mistyped.push((key, *kind, self.tensor.dtype())),
        }
    }
}

/// Pairs every parameter with its tensor, or says what does not fit.
fn plan<'a>(
    expected: &'a BTreeMap<String, Parameter>,
    file: &'a WeightFile,
    keys: &KeyMap,
) -> Result<BTreeMap<String, Pair<'a>>, WeightsError> {
    let mut report = KeyReport::default();
    let mut plan: BTreeMap<String, Pair<'a>> = BTreeMap::new();
    for (key, tensor) in file.tensors() {
        let Some(path) = keys.to_module(key) else {
            continue;
        };
        let Some(parameter) = expected.get(&path) else {
            report.unused.push(key.clone());
            continue;
        };
        match plan.entry(path) {
            Entry::Vacant(place) => {
                let pair = Pair {
                    parameter,
                    key,
                    tensor,
                };
                pair.compare(&mut report);
                place.insert(pair);
            }
            Entry::Occupied(first) => {
                let first = first.get().key.to_owned();
                report.duplicate.push((key.clone(), first));
            }
        }
    }
    report.missing = expected
        .keys()
        .filter(|path| !plan.contains_key(*path))
        .map(|path| keys.to_file(path))
        .collect();
    if report.is_clean() {
        return Ok(plan);
    }
    Err(WeightsError::Mismatch {
        path: file.path().to_path_buf(),
        report: Box::new(report),
    })
}

/// Whether a stored tensor has the values that a parameter needs, in their order.
fn fits(expected: &[usize], stored: &[usize]) -> bool {
    without_last_ones(expected) == without_last_ones(stored)
}

fn without_last_ones(shape: &[usize]) -> &[usize] {
    let kept = shape.iter().rposition(|&dim| dim != 1);
    &shape[..kept.map_or(0, |last| last + 1)]
}

fn failed_path(error: &ApplyError) -> &str {
    match error {
        ApplyError::ShapeMismatch { path, .. }
        | ApplyError::DTypeMismatch { path, .. }
        | ApplyError::AdapterError { path, .. }
        | ApplyError::LoadError { path, .. } => path,
    }
}
