//! One case: a configuration and the tensors of the reference.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use burn::{
    module::ParamId,
    store::{ModuleSnapshot, PyTorchToBurnAdapter, TensorSnapshot},
    tensor::{DType, Tensor, TensorData, backend::Backend},
};
use mpm_vision::UNUSED_KEYS;
use safetensors::SafeTensors;

pub struct Case {
    pub name: String,
    pub config: serde_json::Value,
    tensors: BTreeMap<String, TensorData>,
}

impl Case {
    /// All cases of the fixture folder whose name begins with `prefix`.
    pub fn all(prefix: &str) -> Vec<Self> {
        let folder = std::env::var_os("MPM_FIXTURES").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures"),
            PathBuf::from,
        );
        let entries = fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", folder.display()));
        let mut paths: Vec<_> = entries
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|ext| ext == "safetensors"))
            .filter(|path| stem(path).starts_with(prefix))
            .collect();
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Self {
        let config = fs::read(path.with_extension("json")).unwrap();
        let bytes = fs::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let tensors = file
            .iter()
            .filter(|(_, view)| view.dtype() == safetensors::Dtype::F32)
            .map(|(name, view)| {
                let values: Vec<f32> = view
                    .data()
                    .as_chunks()
                    .0
                    .iter()
                    .map(|&bytes| f32::from_le_bytes(bytes))
                    .collect();
                (name.to_owned(), TensorData::new(values, view.shape()))
            })
            .collect();
        Self {
            name: stem(path),
            config: serde_json::from_slice(&config).unwrap(),
            tensors,
        }
    }

    pub fn data(&self, name: &str) -> &TensorData {
        self.tensors
            .get(name)
            .unwrap_or_else(|| panic!("{} lacks {name}", self.name))
    }

    pub fn tensor<B: Backend, const D: usize>(&self, name: &str) -> Tensor<B, D> {
        Tensor::from_data(self.data(name).clone(), &Default::default())
    }

    /// The tensors below `prefix`, named without it.
    pub fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = (&str, &TensorData)> {
        self.tensors
            .iter()
            .filter_map(move |(name, data)| Some((name.strip_prefix(prefix)?, data)))
    }

    /// A non-negative integer of the configuration, by JSON pointer.
    pub fn size(&self, pointer: &str) -> usize {
        let value = self.config.pointer(pointer).and_then(|v| v.as_u64());
        value.unwrap_or_else(|| panic!("{} lacks {pointer}", self.name)) as usize
    }

    /// Loads the weights below `stripped` into a module, all of them and no
    /// other: among the keys that begin with one of `roots`, those left over
    /// must be the documented unused ones.
    pub fn load<B: Backend, M: ModuleSnapshot<B>>(
        &self,
        module: &mut M,
        stripped: &str,
        roots: &[&str],
    ) {
        let keys = self
            .tensors
            .keys()
            .filter(|key| roots.iter().any(|root| key.starts_with(root)));
        let (used, unused): (Vec<_>, Vec<_>) =
            keys.partition(|key| !UNUSED_KEYS.contains(&key.as_str()));
        assert_eq!(unused.len(), UNUSED_KEYS.len(), "{}", self.name);
        let count = used.len();
        let snapshots = used
            .into_iter()
            .map(|key| {
                let path = key.strip_prefix(stripped).unwrap_or(key);
                TensorSnapshot::from_data(
                    self.data(key).clone(),
                    path.split('.').map(str::to_owned).collect(),
                    Vec::new(),
                    ParamId::new(),
                )
            })
            .collect();
        let result = module.apply(snapshots, None, Some(Box::new(PyTorchToBurnAdapter)), false);
        assert!(
            result.errors.is_empty(),
            "{}: {:?}",
            self.name,
            result.errors
        );
        assert!(
            result.missing.is_empty(),
            "{}: {:?}",
            self.name,
            result.missing
        );
        // `result.unused` also lists norms, which the adapter renames; the count does not.
        assert_eq!(result.applied.len(), count, "{}: unused weights", self.name);
    }
}

/// Fails where an element differs by more than `tolerance` times the largest
/// expected value.
pub fn assert_close(
    found: &TensorData,
    expected: &TensorData,
    tolerance: f64,
    case: &Case,
    name: &str,
) {
    let expected_elements = expected.shape.iter().product::<usize>();
    let found_elements = found.shape.iter().product::<usize>();
    // A loss is a scalar there and a vector of one here.
    if expected_elements > 1 || found_elements > 1 {
        assert_eq!(
            found.shape, expected.shape,
            "{}: shape of {name}",
            case.name
        );
    }
    let values = |data: &TensorData| {
        data.clone()
            .convert_dtype(DType::F64)
            .to_vec::<f64>()
            .unwrap()
    };
    let (found, expected) = (values(found), values(expected));
    let largest = expected
        .iter()
        .fold(0.0, |max: f64, value| max.max(value.abs()));
    let error = found
        .iter()
        .zip(&expected)
        .fold(0.0, |max: f64, (found, expected)| {
            let difference = (found - expected).abs();
            // NaN must not pass.
            if difference.is_nan() {
                f64::INFINITY
            } else {
                max.max(difference)
            }
        });
    assert!(
        error <= tolerance * largest,
        "{}: {name} differs by {error:e} where the largest value is {largest:e}",
        case.name
    );
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}
