//! Finding the tensors in an unpickled checkpoint.

use std::{
    collections::{BTreeMap, HashSet},
    ops::Range,
    path::Path,
    sync::Arc,
};

use memmap2::Mmap;
use safetensors::Dtype;

use super::{
    super::{StoredTensor, WeightsError},
    pickle::{Id, Object, Pickle},
};

/// Under these names a checkpoint of a training run holds its model.
const MODEL_KEYS: &[&str] = &["state_dict", "model", "model_state_dict", "module"];

/// Nested tensor constructors deeper than this are nonsense.
const MAX_CALLS: usize = 4;

/// Lays the tensors of `pickle` over the storages, which `storages` maps from
/// key to byte range in `file`.
pub(super) fn tensors(
    path: &Path,
    pickle: &Pickle,
    storages: &BTreeMap<String, Range<usize>>,
    file: &Arc<Mmap>,
) -> Result<BTreeMap<String, StoredTensor>, WeightsError> {
    let finder = Finder {
        path,
        pickle,
        storages,
        file,
    };
    let mut found = BTreeMap::new();
    let mut pending = vec![(finder.model_dict(), String::new())];
    // A hostile pickle may contain itself: no dict is entered twice.
    let mut entered = HashSet::new();
    while let Some((id, name)) = pending.pop() {
        match pickle.get(id) {
            Object::Dict(entries) if entered.insert(id) => {
                pending.extend(entries.iter().filter_map(|(key, value)| {
                    let key = pickle.text(*key)?;
                    Some((*value, join(&name, key)))
                }));
            }
            Object::Call { .. } => {
                if let Some(tensor) = finder.tensor(id, &name, 0)? {
                    found.insert(name, tensor);
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

struct Finder<'a> {
    path: &'a Path,
    pickle: &'a Pickle,
    storages: &'a BTreeMap<String, Range<usize>>,
    file: &'a Arc<Mmap>,
}

impl Finder<'_> {
    /// The dict that holds the model: the outermost one, unless it has no
    /// tensors of its own and one of the usual names leads further in.
    fn model_dict(&self) -> Id {
        let root = self.pickle.root();
        let Object::Dict(entries) = self.pickle.get(root) else {
            return root;
        };
        let has_tensors = entries
            .iter()
            .any(|(_, value)| matches!(self.pickle.get(*value), Object::Call { .. }));
        if has_tensors {
            return root;
        }
        MODEL_KEYS
            .iter()
            .find_map(|name| {
                entries
                    .iter()
                    .find(|(key, _)| self.pickle.text(*key) == Some(name))
            })
            .map_or(root, |(_, value)| *value)
    }

    /// Reads a call of one of PyTorch's constructors; `None` for calls that
    /// build something else (a `torch.Size`, say).
    fn tensor(
        &self,
        id: Id,
        name: &str,
        depth: usize,
    ) -> Result<Option<StoredTensor>, WeightsError> {
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
        match (callable.as_str(), arguments) {
            ("torch._utils._rebuild_tensor" | "torch._utils._rebuild_tensor_v2", arguments) => {
                self.rebuild_tensor(name, arguments).map(Some)
            }
            ("torch._utils._rebuild_parameter" | "torch.nn.parameter.Parameter", [data, ..]) => {
                self.tensor(*data, name, depth + 1)
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
    fn rebuild_tensor(&self, name: &str, arguments: &[Id]) -> Result<StoredTensor, WeightsError> {
        let [storage, offset, shape, strides, ..] = arguments else {
            return Err(self.damaged(name, "too few arguments"));
        };
        let pickle = self.pickle;
        let (Some(offset), Some(shape), Some(strides)) = (
            pickle.index(*offset),
            pickle.indices(*shape),
            pickle.indices(*strides),
        ) else {
            return Err(self.damaged(name, "offset, shape or strides are no numbers"));
        };
        let (dtype, key, view_offset) = self.storage(name, *storage)?;
        let range = self
            .storages
            .get(key)
            .ok_or_else(|| self.damaged(name, "its storage is not in the file"))?;
        StoredTensor::strided(
            dtype,
            shape,
            strides,
            range.clone(),
            offset.saturating_add(view_offset),
            self.file.clone(),
        )
        .ok_or_else(|| self.damaged(name, "it reaches beyond its storage"))
    }

    /// `("storage", class, key, location, element count[, view])`; the legacy
    /// format's view is `(key, offset, size)` or None.
    fn storage(&self, name: &str, id: Id) -> Result<(Dtype, &str, usize), WeightsError> {
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
        let dtype = storage_dtype(class).ok_or_else(|| WeightsError::Unsupported {
            path: self.path.to_path_buf(),
            feature: format!("tensor `{name}` of storage type `{class}`"),
        })?;
        Ok((dtype, key, view_offset))
    }

    fn damaged(&self, name: &str, reason: &str) -> WeightsError {
        WeightsError::damaged(self.path, format!("tensor `{name}`: {reason}"))
    }
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

/// The storages that a legacy pickle refers to, with their sizes in elements.
pub(super) fn storage_sizes(pickle: &Pickle) -> BTreeMap<String, (Dtype, usize)> {
    let mut sizes = BTreeMap::new();
    for id in 0..pickle.object_count() {
        let Object::Persistent(reference) = pickle.get(id) else {
            continue;
        };
        let Some([_, class, key, _, count, ..]) = pickle.sequence(*reference) else {
            continue;
        };
        if let (Object::Global(class), Some(key), Some(count)) =
            (pickle.get(*class), pickle.text(*key), pickle.index(*count))
            && let Some(dtype) = storage_dtype(class)
        {
            sizes.insert(key.to_string(), (dtype, count));
        }
    }
    sizes
}
