//! Finding the tensors in an unpickled checkpoint.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
    path::Path,
    sync::Arc,
};

use safetensors::Dtype;

use super::{
    super::{StoredTensor, WeightsError, source::Source},
    budget::Budget,
    pickle::{Id, Object, Pickle},
};

/// Under these names a checkpoint of a training run holds its model.
const MODEL_KEYS: &[&str] = &["state_dict", "model", "model_state_dict", "module"];

/// The callables that build tensors.
const TENSOR_CALLABLES: &[&str] = &[
    "torch._tensor._rebuild_from_type_v2",
    "torch._utils._rebuild_parameter",
    "torch._utils._rebuild_tensor",
    "torch._utils._rebuild_tensor_v2",
    "torch._utils._rebuild_tensor_v3",
    "torch.nn.parameter.Parameter",
];

/// Which argument of `_rebuild_tensor_v3` is the dtype.
const DTYPE: usize = 6;

/// Nested tensor constructors deeper than this are nonsense.
const MAX_CALLS: usize = 4;

/// More dimensions than this are nonsense: PyTorch itself cannot sum over them.
const MAX_RANK: usize = 64;

/// A tensor as a pickle describes it.
pub(super) struct View<'a> {
    dtype: Dtype,
    /// The key of its storage.
    storage: &'a str,
    /// In elements of the storage.
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// The named tensors of `pickle`.
pub(super) fn views<'a>(
    path: &'a Path,
    pickle: &'a Pickle,
) -> Result<BTreeMap<String, View<'a>>, WeightsError> {
    let finder = Finder { path, pickle };
    let mut budget = Budget::default();
    let mut charge = |bytes| match budget.allows(bytes, pickle.len) {
        true => Ok(()),
        false => Err(WeightsError::damaged(
            path,
            "the names and shapes of its tensors take more memory than its length explains",
        )),
    };
    let mut found = BTreeMap::new();
    let mut pending = vec![(finder.model_dict(), String::new())];
    // A hostile pickle may contain itself: no dict is entered twice.
    let mut entered = HashSet::new();
    while let Some((id, name)) = pending.pop() {
        match pickle.get(id) {
            Object::Dict(entries) if entered.insert(id) => {
                for (key, value) in finder.branches(entries) {
                    charge(name.len() + key.len() + 1)?;
                    pending.push((value, join(&name, key)));
                }
            }
            Object::Call { .. } => {
                if let Some(view) = finder.view(id, &name, 0)? {
                    charge(2 * view.shape.len() * size_of::<usize>())?;
                    found.insert(name, view);
                }
            }
            _ => {}
        }
    }
    if found.is_empty() {
        return Err(WeightsError::NotWeights {
            path: path.to_path_buf(),
            found: "a file of torch.save without named tensors (save the model's `state_dict()`)",
        });
    }
    Ok(found)
}

/// Lays views over the storages, which `storages` maps from key to byte range in `source`.
pub(super) fn lay(
    path: &Path,
    views: BTreeMap<String, View<'_>>,
    storages: &BTreeMap<&str, Range<usize>>,
    source: &Arc<Source>,
) -> Result<BTreeMap<String, StoredTensor>, WeightsError> {
    views
        .into_iter()
        .map(|(name, view)| {
            let range = storages
                .get(view.storage)
                .ok_or_else(|| damaged(path, &name, "its storage is not in the file"))?;
            let tensor = StoredTensor::strided(
                view.dtype,
                view.shape,
                view.strides,
                range.clone(),
                view.offset,
                source.clone(),
            )
            .ok_or_else(|| damaged(path, &name, "it reaches beyond its storage"))?;
            Ok((name, tensor))
        })
        .collect()
}

struct Finder<'a> {
    path: &'a Path,
    pickle: &'a Pickle,
}

impl<'a> Finder<'a> {
    /// The dict that holds the model: the outermost one, unless it has no
    /// tensors of its own and one of the usual names leads further in.
    fn model_dict(&self) -> Id {
        let root = self.pickle.root();
        let Object::Dict(entries) = self.pickle.get(root) else {
            return root;
        };
        if entries.iter().any(|&(_, value)| self.is_tensor(value)) {
            return root;
        }
        MODEL_KEYS
            .iter()
            .find_map(|name| {
                entries.iter().find(|&&(key, value)| {
                    self.pickle.text(key) == Some(name)
                        && matches!(self.pickle.get(value), Object::Dict(_))
                })
            })
            .map_or(root, |&(_, value)| value)
    }

    fn is_tensor(&self, id: Id) -> bool {
        match self.pickle.get(id) {
            Object::Call { callable, .. } => TENSOR_CALLABLES.contains(callable),
            _ => false,
        }
    }

    /// Those entries of a dict that may be tensors or lead to some.
    fn branches(&self, entries: &'a [(Id, Id)]) -> impl Iterator<Item = (&'a str, Id)> {
        let pickle = self.pickle;
        entries.iter().filter_map(move |&(key, value)| {
            let is_branch = matches!(pickle.get(value), Object::Dict(_) | Object::Call { .. });
            Some((pickle.text(key).filter(|_| is_branch)?, value))
        })
    }

    /// Reads a call of one of PyTorch's constructors; `None` for calls that
    /// build something else (a `torch.Size`, say).
    fn view(&self, id: Id, name: &str, depth: usize) -> Result<Option<View<'a>>, WeightsError> {
        let Object::Call {
            callable,
            arguments,
        } = self.pickle.get(id)
        else {
            return Ok(None);
        };
        if depth == MAX_CALLS {
            return Err(self.damaged(name, "constructors nested too deep"));
        }
        let arguments = self.pickle.sequence(*arguments).unwrap_or(&[]);
        match (*callable, arguments) {
            ("torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2", arguments) => {
                self.rebuild_tensor(name, arguments).map(Some)
            }
            // PyTorch's way to write the dtypes that have no class of storages.
            ("torch._utils._rebuild_tensor_v3", arguments) => {
                let dtype = arguments.get(DTYPE).map(|&dtype| self.pickle.get(dtype));
                let Some(Object::Global(dtype)) = dtype else {
                    return Err(self.damaged(name, "it has no dtype"));
                };
                Err(self.unsupported(format!("tensor `{name}` of dtype `{dtype}`")))
            }
            ("torch._utils._rebuild_parameter" | "torch.nn.parameter.Parameter", [data, ..]) => {
                self.view(*data, name, depth + 1)
            }
            ("torch._tensor._rebuild_from_type_v2", [constructor, _, arguments, ..]) => {
                let is_tensor = matches!(
                    self.pickle.get(*constructor),
                    Object::Global(global) if global.starts_with("torch._utils._rebuild_tensor")
                );
                match self.pickle.sequence(*arguments) {
                    Some(arguments) if is_tensor => self.rebuild_tensor(name, arguments).map(Some),
                    _ => Err(self.damaged(name, "unknown constructor")),
                }
            }
            _ => Ok(None),
        }
    }

    /// `_rebuild_tensor*(storage, storage_offset, size, stride, …)`
    fn rebuild_tensor(&self, name: &str, arguments: &[Id]) -> Result<View<'a>, WeightsError> {
        let [storage, offset, shape, strides, ..] = arguments else {
            return Err(self.damaged(name, "too few arguments"));
        };
        let pickle = self.pickle;
        let is_too_long = |&&id: &&Id| pickle.sequence(id).is_some_and(|x| x.len() > MAX_RANK);
        if [shape, strides].iter().any(is_too_long) {
            return Err(self.damaged(name, "it has too many dimensions"));
        }
        let (Some(offset), Some(shape), Some(strides)) = (
            pickle.index(*offset),
            pickle.indices(*shape),
            pickle.indices(*strides),
        ) else {
            return Err(self.damaged(name, "offset, shape or strides are no numbers"));
        };
        let (dtype, storage, view_offset) = self.storage(name, *storage)?;
        Ok(View {
            dtype,
            storage,
            offset: offset.saturating_add(view_offset),
            shape,
            strides,
        })
    }

    /// `("storage", class, key, location, element count[, view])`; the legacy
    /// format's view is `(key, offset, size)` or None.
    fn storage(&self, name: &str, id: Id) -> Result<(Dtype, &'a str, usize), WeightsError> {
        let reference = match self.pickle.get(id) {
            Object::Persistent(reference) => self.pickle.sequence(*reference),
            _ => None,
        };
        let Some([_, class, key, rest @ ..]) = reference else {
            return Err(self.damaged(name, "its storage is no reference"));
        };
        let (Object::Global(class), Some(key)) = (self.pickle.get(*class), self.pickle.text(*key))
        else {
            return Err(self.damaged(name, "its storage has no type or key"));
        };
        let view_offset = rest
            .get(2)
            .and_then(|&view| self.pickle.sequence(view))
            .and_then(|view| self.pickle.index(*view.get(1)?))
            .unwrap_or(0);
        let dtype = storage_dtype(class).ok_or_else(|| {
            self.unsupported(format!("tensor `{name}` of storage type `{class}`"))
        })?;
        Ok((dtype, key, view_offset))
    }

    fn damaged(&self, name: &str, reason: &str) -> WeightsError {
        damaged(self.path, name, reason)
    }

    fn unsupported(&self, feature: String) -> WeightsError {
        WeightsError::Unsupported {
            path: self.path.to_path_buf(),
            feature,
        }
    }
}

fn damaged(path: &Path, name: &str, reason: &str) -> WeightsError {
    WeightsError::damaged(path, format!("tensor `{name}`: {reason}"))
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() {
        return key.to_string();
    }
    format!("{prefix}.{key}")
}

/// The dtype of a storage class, `torch.HalfStorage` for instance.
pub(super) fn storage_dtype(class: &str) -> Option<Dtype> {
    Some(match class.rsplit('.').next()? {
        "DoubleStorage" => Dtype::F64,
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}

/// The storages that a legacy pickle refers to: their keys, with the names of their classes and
/// their sizes in elements.
pub(super) fn storage_sizes(pickle: &Pickle) -> BTreeMap<&str, (&str, usize)> {
    let references = (0..pickle.object_count()).filter_map(|id| match pickle.get(id) {
        Object::Persistent(reference) => pickle.sequence(*reference),
        _ => None,
    });
    let sizes = references.filter_map(|reference| {
        let [_, class, key, _, count, ..] = reference else {
            return None;
        };
        let Object::Global(class) = pickle.get(*class) else {
            return None;
        };
        Some((pickle.text(*key)?, (class.as_str(), pickle.index(*count)?)))
    });
    sizes.collect()
}
