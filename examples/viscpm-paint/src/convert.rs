//! From official files to a model folder, without the memory that the model would take.

use std::path::Path;

use burn::tensor::backend::Backend;
use mpm_core::{
    file_version::FileVersion,
    partial_folder::PartialFolder,
    weights::{self, ConvertOptions, WeightFile},
};
use mpm_diffusion::vae;
use serde::Serialize;

use crate::{ModelConfig, PaintError, Source, folder::VOCABULARY_FILE};

/// The names of the weights without their ending.
const WEIGHTS: &str = "model";
const VAE: &str = "vae";

/// What a folder is made of. A run that goes on with the files of an earlier one must be of the
/// same plan.
#[derive(Serialize)]
struct Plan<'a> {
    checkpoint: FileVersion,
    vae: FileVersion,
    config: &'a ModelConfig,
    precision: String,
    shard_bytes: usize,
}

/// Writes a model folder from the files of a model, tensor by tensor; the adapters that `source`
/// may name are left out. Of `options`, the choice of tensors is not used: those that the model
/// needs are written.
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
    options: &ConvertOptions<'_>,
) -> Result<(), PaintError> {
    let prompts = source.prompt_tokenizer()?;
    source.check::<B>(device)?;
    let plan = Plan {
        checkpoint: FileVersion::of(&source.weights),
        vae: FileVersion::of(&source.vae_weights),
        config: &source.config,
        precision: format!("{:?}", options.precision),
        shard_bytes: options.shard_bytes,
    };
    let mut target = PartialFolder::open(folder, &plan)?;
    let file = WeightFile::open(&source.weights)?;
    let with = |wanted| ConvertOptions {
        wanted,
        progress: options.progress.clone(),
        ..*options
    };
    let weights = weights::convert(&file, &mut target, WEIGHTS, &with(&|_| true))?;
    let file = WeightFile::open(&source.vae_weights)?;
    let keys = vae::checkpoint_keys(&file);
    let is_needed = |key: &str| keys.to_module(key).is_some();
    let vae_weights = weights::convert(&file, &mut target, VAE, &with(&is_needed))?;
    let text = prompts.tokenizer.vocabulary().to_file_content();
    target.write_bytes(VOCABULARY_FILE, text.as_bytes())?;
    target.finish(&ModelConfig {
        weights: weights.into(),
        vae_weights: vae_weights.into(),
        vocabulary: VOCABULARY_FILE.into(),
        ..source.config.clone()
    })?;
    Ok(())
}
