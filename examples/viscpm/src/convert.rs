//! From official checkpoints to model folders.

use burn::backend::Flex;
use clap::{CommandFactory, error::ErrorKind};
use mpm_core::{
    model_folder::CONFIG_FILE,
    weights::{ConvertOptions, WeightFile},
};
use viscpm_chat::VisCpmChatConfig;
use viscpm_common::cli::{BoxError, resolve, resolve_model, with_progress};
use viscpm_paint::Source;

use crate::args::{Args, ConvertArgs, Model};

/// Writes the folder that the arguments ask for.
pub fn convert(mut args: ConvertArgs) -> Result<(), BoxError> {
    if !args.force && args.out.join(CONFIG_FILE).exists() {
        return Err(format!(
            "{}: there is a model already; name another folder, or replace it with --force",
            args.out.display()
        )
        .into());
    }
    for file in [&mut args.vocab, &mut args.checkpoint]
        .into_iter()
        .chain(&mut args.config)
    {
        *file = resolve(file)?;
    }
    if let Some(vae) = &mut args.vae {
        *vae = resolve_model(vae)?;
    }
    let shard_bytes = usize::try_from(args.shard_size.as_u64()).unwrap_or(usize::MAX);
    with_progress("writing", args.dtype.precision(), |load| {
        let options = ConvertOptions {
            precision: load.precision,
            quantization: args.quantize,
            shard_bytes,
            progress: load.progress.clone(),
        };
        match model_of(&args)? {
            Model::Chat => chat(&args, &options),
            Model::Paint => paint(&args, &options),
        }
    })
}

/// Which model a checkpoint belongs to: only Paint's has a UNet.
fn model_of(args: &ConvertArgs) -> Result<Model, BoxError> {
    let file = WeightFile::open(&args.checkpoint)?;
    let is_paint = file.tensors().keys().any(|key| key.starts_with("unet."));
    Ok(if is_paint { Model::Paint } else { Model::Chat })
}

fn chat(args: &ConvertArgs, options: &ConvertOptions) -> Result<(), BoxError> {
    if args.vae.is_some() {
        return Err(usage(
            "this checkpoint is VisCPM-Chat's, which has no --vae",
        ));
    }
    let config = match &args.config {
        Some(file) => viscpm_chat::ModelConfig::open(file)?,
        None => viscpm_chat::ModelConfig::new(VisCpmChatConfig::viscpm_chat())?,
    };
    let (checkpoint, vocabulary) = (&args.checkpoint, &args.vocab);
    let device = Default::default();
    viscpm_chat::convert::<Flex>(checkpoint, vocabulary, config, &args.out, &device, options)?;
    Ok(())
}

fn paint(args: &ConvertArgs, options: &ConvertOptions) -> Result<(), BoxError> {
    let vae = args.vae.as_ref();
    let vae = vae.ok_or_else(|| usage("this checkpoint is VisCPM-Paint's: name its --vae"))?;
    let config = match &args.config {
        Some(file) => viscpm_paint::ModelConfig::open(file)?,
        None => viscpm_paint::ModelConfig::viscpm_paint(),
    };
    let source = Source::official(&args.checkpoint, vae, &args.vocab, config)?;
    viscpm_paint::convert::<Flex>(&source, &args.out, &Default::default(), options)?;
    Ok(())
}

fn usage(reason: &str) -> BoxError {
    Args::command()
        .error(ErrorKind::ArgumentConflict, reason)
        .into()
}
