//! Adapters as Hugging Face's PEFT writes them: `adapter_config.json` beside
//! `adapter_model.safetensors`.

use std::{
    collections::{BTreeMap, BTreeSet},
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

use super::{
    LinearLayers, Lora, LoraConfig, LoraError,
    layers::{for_each, linear_paths},
};
use crate::{
    atomic,
    weights::{KeyMap, WeightFile},
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
/// # Errors
/// [`LoraError::NoTarget`] for a model without adapters, [`LoraError::Io`] when the folder cannot
/// be written.
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
    for_each(model.clone(), |path, layer| {
        let Some(lora) = layer.lora else { return };
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
    fs::create_dir_all(folder).map_err(io_error(folder))?;
    let file = folder.join(WEIGHTS_FILE);
    atomic::write(&file, |temporary| {
        let views = matrices.iter().map(|(name, values)| {
            let view = TensorView::new(Dtype::F32, values.shape.to_vec(), values.as_bytes());
            Ok((name, view.map_err(io::Error::other)?))
        });
        let views = views.collect::<io::Result<Vec<_>>>()?;
        serialize_to_file(views, None, temporary).map_err(io::Error::other)
    })
    .map_err(io_error(&file))?;
    // The configuration comes last: a folder that has it is complete.
    let file = folder.join(CONFIG_FILE);
    let config = PeftConfig {
        peft_type: "LORA".to_owned(),
        r: config.rank,
        lora_alpha: config.alpha,
        target_modules: Some(targets.into()),
        rest: [("bias".to_owned(), "none".into())].into_iter().collect(),
    };
    let json = serde_json::to_vec_pretty(&config).map_err(syntax_error(&file))?;
    atomic::write_bytes(&file, &json).map_err(io_error(&file))
}

/// Gives a model the adapters of a folder.
///
/// # Errors
/// [`LoraError`] names the file and what is wrong with it: matrices of layers that the model does
/// not have, of other sizes, or without their counterpart.
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
    let mismatch = |key: &str, reason: String| LoraError::Mismatch {
        path: file.path().to_path_buf(),
        key: key.to_owned(),
        reason,
    };
    let known: BTreeSet<_> = linear_paths(&model).into_iter().collect();
    for key in file.tensors().keys() {
        let layer = layer_of(key).and_then(|layer| keys.to_module(layer));
        if !layer.is_some_and(|layer| known.contains(&layer)) {
            return Err(mismatch(key, "is no matrix of a linear layer".to_owned()));
        }
    }
    let matrix = |key: String, expected: [usize; 2]| -> Result<TensorData, LoraError> {
        let tensor = file.tensors().get(&key);
        let tensor = tensor.ok_or_else(|| mismatch(&key, "is missing".to_owned()))?;
        match tensor.shape() == expected {
            true => Ok(tensor.read().convert_dtype(DType::F32)),
            false => Err(mismatch(
                &key,
                format!("has the shape {:?} and not {expected:?}", tensor.shape()),
            )),
        }
    };
    let (mut attached, mut failed) = (0, None);
    let model = for_each(model, |path, layer| {
        let name = format!("{PREFIX}{}", keys.to_file(path));
        let has = |end| file.tensors().contains_key(&format!("{name}{end}"));
        if failed.is_some() || !(has(MATRIX_A) || has(MATRIX_B)) {
            return;
        }
        let [d_out, d_in] = layer.weight.lazy_shape().dims();
        let device = layer.weight.lazy_device();
        let rank = config.r.get();
        let read = || {
            Ok([
                matrix(format!("{name}{MATRIX_A}"), [rank, d_in])?,
                matrix(format!("{name}{MATRIX_B}"), [d_out, rank])?,
            ])
        };
        match read() {
            Ok(matrices) => {
                let [a, b] = matrices.map(|values| Tensor::from_data(values, &device));
                *layer.lora = Some(Lora::from_tensors(a, b, scale));
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
