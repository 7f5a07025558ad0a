//! Adapters as Hugging Face's PEFT writes them: `adapter_config.json` beside
//! `adapter_model.safetensors`.

use std::{
    collections::{BTreeMap, HashSet},
    fs, io,
    num::NonZeroUsize,
    path::Path,
};

use burn::{
    module::Module,
    tensor::{DType, Tensor, TensorData, backend::Backend},
};
use safetensors::{Dtype, serialize_to_file, tensor::TensorView};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Lora, LoraConfig, LoraError, linear_paths};
use crate::{
    atomic,
    model_folder::FolderWriter,
    nn::{LinearLayers, LinearRole, for_each_linear},
    weights::{KeyMap, WeightFile, WeightsError},
};

/// The name of the configuration.
pub const CONFIG_FILE: &str = "adapter_config.json";

/// The name of the weights.
pub const WEIGHTS_FILE: &str = "adapter_model.safetensors";

/// What PEFT puts before all names: its own wrappers.
const PREFIX: &str = "base_model.model.";

/// The names of the two matrices, behind that of their layer.
const MATRIX_A: &str = ".lora_A.weight";
const MATRIX_B: &str = ".lora_B.weight";

/// What `adapter_config.json` says.
#[derive(Serialize, Deserialize)]
struct PeftConfig {
    peft_type: String,
    r: NonZeroUsize,
    lora_alpha: f64,
    #[serde(default)]
    target_modules: Option<Value>,
    /// Beside many fields that say how the adapter was trained.
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl PeftConfig {
    /// The first field that asks for what is not computed here.
    fn unsupported(&self) -> Option<(&'static str, String)> {
        if self.peft_type != "LORA" {
            return Some(("peft_type", self.peft_type.clone()));
        }
        let changes = [
            "alpha_pattern",
            "bias",
            "fan_in_fan_out",
            "layer_replication",
            "lora_bias",
            "modules_to_save",
            "rank_pattern",
            "trainable_token_indices",
            "use_dora",
            "use_qalora",
            "use_rslora",
        ];
        changes.into_iter().find_map(|field| {
            let value = self.rest.get(field)?;
            let plain = match value {
                Value::Null => true,
                Value::Bool(set) => !set,
                Value::String(text) => text == "none",
                Value::Object(map) => map.is_empty(),
                Value::Array(list) => list.is_empty(),
                Value::Number(_) => false,
            };
            (!plain).then(|| (field, value.to_string()))
        })
    }
}

/// Writes the adapters of a model to a folder, which is made if it does not exist. Layers are
/// named as `keys` maps them.
///
/// The configuration comes last, and an older one is removed before the weights are replaced: a
/// folder that has it is complete.
///
/// # Errors
/// [`LoraError::NoTarget`] for a model without adapters, [`LoraError::Folder`] and
/// [`LoraError::Io`] when the folder cannot be written.
pub fn save<B, M>(
    model: &M,
    config: LoraConfig,
    folder: &Path,
    keys: &KeyMap,
) -> Result<(), LoraError>
where
    B: Backend,
    M: Module<B> + LinearLayers<B>,
{
    let mut matrices = BTreeMap::new();
    let mut targets = Vec::new();
    for_each_linear(model.clone(), |path, layer| {
        let LinearRole::Layer {
            lora: Some(lora), ..
        } = layer.role
        else {
            return;
        };
        let name = keys.to_file(path);
        for (end, matrix) in [(MATRIX_A, &lora.a), (MATRIX_B, &lora.b)] {
            let values = matrix.val().into_data().convert_dtype(DType::F32);
            matrices.insert(format!("{PREFIX}{name}{end}"), values);
        }
        targets.push(name);
    });
    if targets.is_empty() {
        return Err(LoraError::NoTarget);
    }
    let mut writer = FolderWriter::create(folder)?;
    write_matrices(&writer.file(WEIGHTS_FILE.as_ref()), &matrices)
        .map_err(io_error(&folder.join(WEIGHTS_FILE)))?;
    let config = PeftConfig {
        peft_type: "LORA".to_owned(),
        r: config.rank,
        lora_alpha: config.alpha,
        target_modules: Some(targets.into()),
        rest: [("bias".to_owned(), "none".into())].into_iter().collect(),
    };
    Ok(writer.finish_as(CONFIG_FILE.as_ref(), &config)?)
}

fn write_matrices(file: &Path, matrices: &BTreeMap<String, TensorData>) -> io::Result<()> {
    atomic::write(file, |temporary| {
        let views = matrices.iter().map(|(name, values)| {
            let view = TensorView::new(Dtype::F32, values.shape.to_vec(), values.as_bytes());
            Ok((name, view.map_err(io::Error::other)?))
        });
        let views = views.collect::<io::Result<Vec<_>>>()?;
        serialize_to_file(views, None, temporary).map_err(io::Error::other)
    })
}

/// Gives a model the adapters of a folder, whose layers are named as `keys` maps them or as in
/// the model.
///
/// # Errors
/// [`LoraError`] names the file and what is wrong with it: matrices of layers that the model does
/// not have, of other sizes, without their counterpart, or of one layer under two names.
pub fn load<B, M>(model: M, folder: &Path, keys: &KeyMap) -> Result<M, LoraError>
where
    B: Backend,
    M: Module<B> + LinearLayers<B>,
{
    let path = folder.join(CONFIG_FILE);
    let text = fs::read(&path).map_err(io_error(&path))?;
    let config: PeftConfig = serde_json::from_slice(&text).map_err(syntax_error(&path))?;
    if let Some((field, value)) = config.unsupported() {
        return Err(LoraError::Unsupported { path, field, value });
    }
    let scale = LoraConfig {
        rank: config.r,
        alpha: config.lora_alpha,
    }
    .scale();
    let file = WeightFile::open(folder.join(WEIGHTS_FILE))?;
    let known = linear_paths(&model).into_iter().collect();
    let layers = layers(&file, &known, keys)?;
    let (mut attached, mut failed) = (0, None);
    let model = for_each_linear(model, |path, layer| {
        let name = layers.get(path).filter(|_| failed.is_none());
        let (Some(name), LinearRole::Layer { lora, .. }) = (name, layer.role) else {
            return;
        };
        let ([d_out, d_in], device) = (layer.weight.dims(), layer.weight.device());
        let rank = config.r.get();
        let read = || {
            Ok([
                matrix(&file, &format!("{PREFIX}{name}{MATRIX_A}"), [rank, d_in])?,
                matrix(&file, &format!("{PREFIX}{name}{MATRIX_B}"), [d_out, rank])?,
            ])
        };
        match read() {
            Ok(matrices) => {
                let [a, b] = matrices.map(|values| Tensor::from_data(values, &device));
                *lora = Some(Lora::from_tensors(a, b, scale));
                attached += 1;
            }
            Err(error) => failed = Some(error),
        }
    });
    match (failed, attached) {
        (Some(error), _) => Err(error),
        (None, 0) => Err(LoraError::NoTarget),
        (None, _) => Ok(model),
    }
}

/// The layers that a file has adapters of: their paths in the model, whose paths are `known`, and
/// their names in the file.
fn layers<'a>(
    file: &'a WeightFile,
    known: &HashSet<String>,
    keys: &KeyMap,
) -> Result<BTreeMap<String, &'a str>, LoraError> {
    let mut layers = BTreeMap::new();
    for key in file.tensors().keys() {
        let layer = layer_of(key).and_then(|name| Some((keys.to_module(name)?, name)));
        let Some((path, name)) = layer.filter(|(path, _)| known.contains(path)) else {
            let reason = "is no matrix of a linear layer".to_owned();
            return Err(mismatch(file, key, reason));
        };
        if let Some(other) = layers.insert(path, name).filter(|other| *other != name) {
            return Err(LoraError::Duplicate {
                path: file.path().to_path_buf(),
                key: key.clone(),
                other: other.to_owned(),
            });
        }
    }
    Ok(layers)
}

/// The values of a matrix, in f32.
fn matrix(file: &WeightFile, key: &str, expected: [usize; 2]) -> Result<TensorData, LoraError> {
    let tensor = file.tensors().get(key);
    let tensor = tensor.ok_or_else(|| mismatch(file, key, "is missing".to_owned()))?;
    if tensor.shape() != expected {
        let reason = format!("has the shape {:?} and not {expected:?}", tensor.shape());
        return Err(mismatch(file, key, reason));
    }
    let values = tensor.read_as(DType::F32);
    Ok(values.map_err(|source| WeightsError::Io {
        path: file.path().to_path_buf(),
        source,
    })?)
}

fn mismatch(file: &WeightFile, key: &str, reason: String) -> LoraError {
    LoraError::Mismatch {
        path: file.path().to_path_buf(),
        key: key.to_owned(),
        reason,
    }
}

/// The name, in the file, of the layer that a matrix belongs to.
fn layer_of(key: &str) -> Option<&str> {
    let name = key.strip_prefix(PREFIX)?;
    let suffixes = [MATRIX_A, MATRIX_B];
    suffixes.iter().find_map(|suffix| name.strip_suffix(suffix))
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> LoraError + '_ {
    move |source| LoraError::Io {
        path: path.to_path_buf(),
        source,
    }
}

fn syntax_error(path: &Path) -> impl FnOnce(serde_json::Error) -> LoraError + '_ {
    move |source| LoraError::Syntax {
        path: path.to_path_buf(),
        source,
    }
}
