//! From an official checkpoint to a model folder, without the memory that the model would take.

use std::path::Path;

use burn::tensor::backend::Backend;
use mpm_core::{
    partial_folder::PartialFolder,
    weights::{
        self, ConvertOptions, ConvertPlan, LoadOptions, Selection, WeightFile, check_model,
        quantized_tensors,
    },
};
use mpm_llm::any::AnyTokenizer;
use serde::Serialize;

use crate::{ChatError, ModelConfig, checkpoint_keys, folder::explain};

/// The weights' name without its ending.
const WEIGHTS: &str = "model";

/// What a folder is made of. A run that goes on with the files of an earlier one must be of the
/// same plan.
#[derive(Serialize)]
struct Plan<'a> {
    weights: ConvertPlan,
    config: &'a ModelConfig,
}

/// Writes a model folder from a checkpoint of the model that `config` describes, tensor by tensor.
///
/// A run that was ended goes on where it was, if it is started again with the same arguments.
///
/// # Errors
/// [`ChatError`] names the file and what is wrong with it; nothing is written before the names and
/// shapes of all tensors are found to be those of the model.
pub fn convert<B: Backend>(
    checkpoint: &Path,
    vocabulary: &Path,
    config: ModelConfig,
    folder: &Path,
    device: &B::Device,
    options: &ConvertOptions,
) -> Result<(), ChatError> {
    let file = WeightFile::open(checkpoint)?;
    let files = AnyTokenizer::open(vocabulary, &config.model.llm)?.files()?;
    let keys = checkpoint_keys();
    let model = config.model.init::<B>(device)?;
    let quantized = options
        .quantization
        .map(|scheme| quantized_tensors(&model, &keys, scheme));
    let load = LoadOptions {
        keys: keys.clone(),
        ..LoadOptions::default()
    };
    check_model(model, &file, &load).map_err(|error| explain(error, &file))?;

    let selection = Selection {
        wanted: &|key| keys.to_module(key).is_some(),
        quantized: quantized.unwrap_or_default(),
    };
    let plan = Plan {
        weights: ConvertPlan::new(&file, &selection, options)?,
        config: &config,
    };
    let mut target = PartialFolder::open(folder, &plan)?;
    let weights = weights::convert(&file, &mut target, WEIGHTS, &selection, options)?;
    for (name, bytes) in &files {
        target.write_bytes(name, bytes)?;
    }
    target.finish(&ModelConfig {
        weights: weights.into(),
        vocabulary: files[0].0.into(),
        ..config
    })?;
    Ok(())
}
