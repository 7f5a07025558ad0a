//! One case: a JSON file and, where it has tensors, a safetensors file of the same name.

use std::{
    cell::OnceCell,
    fs,
    path::{Path, PathBuf},
};

use burn::tensor::{Tensor, TensorData, backend::Backend};
use mpm_core::{
    python_json,
    weights::{StoredTensor, WeightFile},
};
use serde_json::Value;

/// What the original implementation was given, and what came out.
///
/// Tensors are named `in.*`, `out.*` and `grad.*`; all others are weights under the names that
/// checkpoints give them. Reading panics where the case lacks what is asked for, or has it in
/// another dtype.
#[derive(Debug)]
pub struct Case {
    /// The name of its files, without the extension.
    pub name: String,
    /// Configuration, texts and notes. Floats that JSON has no way to write are `null`.
    pub json: Value,
    path: PathBuf,
    file: OnceCell<WeightFile>,
}

impl Case {
    pub(crate) fn open(json: PathBuf) -> Self {
        let text = fs::read(&json)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", json.display()));
        let value = python_json::from_slice(&text)
            .unwrap_or_else(|error| panic!("{}: {error}", json.display()));
        Self {
            name: stem(&json),
            json: value,
            path: json.with_extension("safetensors"),
            file: OnceCell::new(),
        }
    }

    /// The tensors, opened when they are first asked for.
    pub fn file(&self) -> &WeightFile {
        self.file.get_or_init(|| {
            WeightFile::open(&self.path)
                .unwrap_or_else(|error| panic!("the tensors of {}: {error}", self.name))
        })
    }

    fn stored(&self, key: &str) -> &StoredTensor {
        self.file()
            .tensors()
            .get(key)
            .unwrap_or_else(|| panic!("{} lacks the tensor {key}", self.name))
    }

    /// Whether there is a tensor `key`.
    pub fn has(&self, key: &str) -> bool {
        self.file().tensors().contains_key(key)
    }

    /// The names of all tensors, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.file().tensors().keys().map(String::as_str)
    }

    /// What follows `prefix` in the names of all tensors that begin with it, in order.
    pub fn with_prefix<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a str> {
        self.names()
            .filter_map(move |name| name.strip_prefix(prefix))
    }

    /// The shape of a tensor.
    pub fn shape(&self, key: &str) -> &[usize] {
        self.stored(key).shape()
    }

    /// The values of a tensor in the dtype in which they are stored.
    pub fn data(&self, key: &str) -> TensorData {
        let data = self.stored(key).read();
        data.unwrap_or_else(|error| panic!("{}: {key}: {error}", self.name))
    }

    /// A float tensor in the dtype in which it is stored: f16 stays f16.
    pub fn tensor<B: Backend, const D: usize>(&self, key: &str) -> Tensor<B, D> {
        let data = self.data(key);
        assert!(
            data.dtype.is_float(),
            "{}: {key} is {:?}",
            self.name,
            data.dtype
        );
        let dtype = data.dtype;
        Tensor::from_data(data, (&B::Device::default(), dtype))
    }

    /// Integers of any width, which must fit in 32 bits.
    pub fn ints(&self, key: &str) -> Vec<i32> {
        let data = self.data(key);
        assert!(
            !data.dtype.is_float(),
            "{}: {key} is {:?}",
            self.name,
            data.dtype
        );
        let narrow = |value: i64| {
            i32::try_from(value).unwrap_or_else(|_| panic!("{}: {value} in {key}", self.name))
        };
        data.iter().map(narrow).collect()
    }

    /// Truth values, which are stored as integers.
    pub fn bools(&self, key: &str) -> Vec<bool> {
        self.ints(key).into_iter().map(|value| value != 0).collect()
    }

    /// A size in the JSON, by [pointer](Value::pointer).
    pub fn size(&self, pointer: &str) -> usize {
        self.json
            .pointer(pointer)
            .and_then(Value::as_u64)
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or_else(|| panic!("{} lacks the size {pointer}", self.name))
    }
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default()
}
