//! Tensors of a case, and how they are compared.

use burn::{
    module::{Module, ParamId},
    store::{ModuleSnapshot, TensorSnapshot},
    tensor::{Bool, DType, Tensor, TensorData, backend::Backend},
};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

use crate::common;

/// The tensors of one case.
pub struct TensorFile {
    name: String,
    bytes: Vec<u8>,
}

/// How far a result may be from the reference's.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    pub absolute: f64,
    pub relative: f64,
}

impl TensorFile {
    pub fn open(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            bytes: common::safetensors(name),
        }
    }

    fn tensors(&self) -> SafeTensors<'_> {
        SafeTensors::deserialize(&self.bytes).unwrap()
    }

    pub fn names(&self) -> Vec<String> {
        self.tensors()
            .names()
            .into_iter()
            .map(String::from)
            .collect()
    }

    pub fn has(&self, name: &str) -> bool {
        self.tensors().tensor(name).is_ok()
    }

    pub fn shape(&self, name: &str) -> Vec<usize> {
        self.with(name, |view| view.shape().to_vec())
    }

    fn with<T>(&self, name: &str, read: impl FnOnce(TensorView<'_>) -> T) -> T {
        match self.tensors().tensor(name) {
            Ok(view) => read(view),
            Err(error) => panic!("{}: {name}: {error}", self.name),
        }
    }

    /// Floats as they are stored.
    pub fn data(&self, name: &str) -> TensorData {
        self.with(name, |view| {
            let dtype = match view.dtype() {
                Dtype::F32 => DType::F32,
                Dtype::F16 => DType::F16,
                other => panic!("{}: {name} is {other:?}", self.name),
            };
            TensorData::from_bytes_vec(view.data().to_vec(), view.shape().to_vec(), dtype)
        })
    }

    /// A float tensor in the dtype in which it is stored.
    pub fn float<B: Backend, const D: usize>(&self, name: &str) -> Tensor<B, D> {
        let data = self.data(name);
        let dtype = data.dtype;
        Tensor::from_data(data, (&B::Device::default(), dtype))
    }

    /// Integers of any width.
    pub fn ints(&self, name: &str) -> Vec<i32> {
        self.with(name, |view| {
            let bytes = view.data();
            match view.dtype() {
                Dtype::I64 => bytes
                    .chunks_exact(8)
                    .map(|b| i64::from_le_bytes(b.try_into().unwrap()) as i32)
                    .collect(),
                Dtype::I32 => bytes
                    .chunks_exact(4)
                    .map(|b| i32::from_le_bytes(b.try_into().unwrap()))
                    .collect(),
                Dtype::I8 => bytes.iter().map(|&b| i32::from(b as i8)).collect(),
                Dtype::U8 | Dtype::BOOL => bytes.iter().map(|&b| i32::from(b)).collect(),
                other => panic!("{}: {name} is {other:?}", self.name),
            }
        })
    }

    pub fn bools(&self, name: &str) -> Vec<bool> {
        self.ints(name)
            .into_iter()
            .map(|value| value != 0)
            .collect()
    }

    /// The tensor `name`, which is true where a query sees a key, as the mask of
    /// what is hidden: `[batch, 1, len_q, len_k]`.
    pub fn hidden<B: Backend>(&self, name: &str) -> Tensor<B, 4, Bool> {
        let shape = self.shape(name);
        let hidden: Vec<bool> = self.bools(name).into_iter().map(|seen| !seen).collect();
        let data = TensorData::new(hidden, [shape[0], 1, shape[1], shape[2]]);
        Tensor::from_data(data, &B::Device::default())
    }

    /// The largest magnitude in a float tensor.
    pub fn largest(&self, name: &str) -> f64 {
        self.data(name)
            .iter::<f64>()
            .map(f64::abs)
            .fold(0.0, f64::max)
    }

    /// Loads every tensor below `prefix` into the module; all must fit.
    pub fn load<B: Backend, M: Module<B>>(&self, mut module: M, prefix: &str) -> M {
        let names = self.names();
        let snapshots = names.iter().filter_map(|name| {
            let path = name.strip_prefix(prefix)?.split('.').map(String::from);
            Some(TensorSnapshot::from_data(
                self.data(name),
                path.collect(),
                Vec::new(),
                ParamId::new(),
            ))
        });
        let result = module.apply(snapshots.collect(), None, None, true);
        assert!(
            result.errors.is_empty() && result.missing.is_empty() && result.unused.is_empty(),
            "{}: {result:?}",
            self.name
        );
        module
    }

    /// Compares with the stored tensor `name`.
    pub fn check<B: Backend, const D: usize>(
        &self,
        name: &str,
        actual: Tensor<B, D>,
        tolerance: Tolerance,
    ) {
        assert_eq!(
            actual.dims().to_vec(),
            self.shape(name),
            "{}: {name}",
            self.name
        );
        let actual: Vec<f64> = actual.into_data().iter().collect();
        let expected: Vec<f64> = self.data(name).iter().collect();
        check_values(
            &format!("{}: {name}", self.name),
            &actual,
            &expected,
            tolerance,
        );
    }

    /// Compares a single number, which is stored without dimensions.
    pub fn check_scalar<B: Backend>(&self, name: &str, actual: Tensor<B, 1>, tolerance: Tolerance) {
        let actual: Vec<f64> = actual.into_data().iter().collect();
        let expected: Vec<f64> = self.data(name).iter().collect();
        check_values(
            &format!("{}: {name}", self.name),
            &actual,
            &expected,
            tolerance,
        );
    }
}

/// Compares number by number and reports the worst.
pub fn check_values(what: &str, actual: &[f64], expected: &[f64], tolerance: Tolerance) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (index, (&actual, &expected)) in actual.iter().zip(expected).enumerate() {
        let allowed = tolerance.absolute + tolerance.relative * expected.abs();
        let error = (actual - expected).abs();
        // Written so that NaN fails.
        assert!(
            error <= allowed,
            "{what}[{index}]: {actual} instead of {expected}, off by {error:e} > {allowed:e}"
        );
    }
}
