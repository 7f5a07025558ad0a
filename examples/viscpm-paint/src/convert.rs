//! From official files to a model folder, without the memory that the model would take.

use std::{collections::BTreeMap, path::Path};

use burn::tensor::backend::Backend;
use mpm_core::{
    partial_folder::PartialFolder,
    quantization::QuantizationScheme,
    weights::{self, ConvertOptions, ConvertPlan, Selection, WeightFile, quantized_tensors},
};
use mpm_diffusion::vae;
use serde::Serialize;

use crate::{ModelConfig, PaintError, Source, checkpoint_keys};

/// The names of the weights without their ending.
const WEIGHTS: &str = "model";
const VAE: &str = "vae";

/// What a folder is made of. A run that goes on with the files of an earlier one must be of the
/// same plan.
#[derive(Serialize)]
struct Plan<'a> {
    weights: ConvertPlan,
    vae: ConvertPlan,
    config: &'a ModelConfig,
}

/// Writes a model folder from the files of a model, tensor by tensor; the adapters that `source`
/// may name are left out. The autoencoder stays in full.
///
/// A run that was ended goes on where it was, if it is started again with the same arguments.
///
/// # Errors
/// [`PaintError`] names the file and what is wrong with it; nothing is written before the names
/// and shapes of all tensors are found to be those of the model.
pub fn convert<B: Backend>(
    source: &Source,
    folder: &Path,
    device: &B::Device,
    options: &ConvertOptions,
) -> Result<(), PaintError> {
    let files = source.prompt_tokenizer()?.tokenizer.files()?;
    source.check::<B>(device)?;
    let file = WeightFile::open(&source.weights)?;
    let selection = Selection {
        wanted: &|_| true,
        quantized: match options.quantization {
            Some(scheme) => quantized::<B>(&source.config, scheme, device)?,
            None => BTreeMap::new(),
        },
    };
    let vae_file = WeightFile::open(&source.vae_weights)?;
    let keys = vae::checkpoint_keys(&vae_file);
    let vae_selection = Selection {
        wanted: &|key| keys.to_module(key).is_some(),
        quantized: BTreeMap::new(),
    };
    let plan = Plan {
        weights: ConvertPlan::new(&file, &selection, options)?,
        vae: ConvertPlan::new(&vae_file, &vae_selection, options)?,
        config: &source.config,
    };
    let mut target = PartialFolder::open(folder, &plan)?;
    let weights = weights::convert(&file, &mut target, WEIGHTS, &selection, options)?;
    let vae_weights = weights::convert(&vae_file, &mut target, VAE, &vae_selection, options)?;
    for (name, bytes) in &files {
        target.write_bytes(name, bytes)?;
    }
    target.finish(&ModelConfig {
        weights: weights.into(),
        vae_weights: vae_weights.into(),
        vocabulary: files[0].0.into(),
        ..source.config.clone()
    })?;
    Ok(())
}

/// The tensors of language model, UNet and trans block that are quantized.
fn quantized<B: Backend>(
    config: &ModelConfig,
    scheme: QuantizationScheme,
    device: &B::Device,
) -> Result<BTreeMap<String, QuantizationScheme>, PaintError> {
    let (llm_keys, diffusion_keys) = checkpoint_keys();
    let llm = config.llm.init::<B>(device)?;
    let mut tensors = quantized_tensors(&llm, &llm_keys, scheme);
    let diffusion = config.diffusion::<B>(device)?;
    tensors.extend(quantized_tensors(&diffusion, &diffusion_keys, scheme));
    Ok(tensors)
}
