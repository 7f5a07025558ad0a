//! Which model the arguments name, and loading it.

use std::path::{self, Path, PathBuf};

use mpm_core::{MpmBackend, quantization::QuantizationScheme, weights::LoadOptions};
use mpm_diffusion::schedule::PredictionType;
use mpm_llm::bert::{BlockRule, PromptClassifier};
use viscpm_common::cli::{
    BoxError, DtypeArg, find_model, note_waiting, resolve, resolve_model, with_progress,
};
use viscpm_paint::{
    ModelConfig, ModelFiles, PaintError, PictureCheck, PictureChooser, PictureMaker, PromptEncoder,
    PromptReader, Source, StableDiffusionConfig, StableDiffusionSource,
};

use super::{
    args::{CheckArgs, ModelArgs},
    usage,
};

/// The model that ships with the repository.
const DEFAULT_MODEL: &str = "models/viscpm-paint-emoji";

/// Finds the files that the arguments name. Also returns the model's name, and that of its
/// adapters. A single file is taken to predict what was predicted `then`, unless the arguments
/// say something else.
pub fn find(
    args: &ModelArgs,
    then: Option<PredictionType>,
) -> Result<(ModelFiles, String), BoxError> {
    let (mut files, mut found) = find_model_files(args, then)?;
    if let Some(folder) = &args.lora {
        found.push('+');
        found.push_str(&name(folder));
        files = files.with_adapter(resolve_model(folder)?);
    }
    Ok((files, found))
}

fn find_model_files(
    args: &ModelArgs,
    then: Option<PredictionType>,
) -> Result<(ModelFiles, String), BoxError> {
    if let (Some(checkpoint), Some(vae), Some(vocabulary)) =
        (&args.checkpoint, &args.vae, &args.vocab)
    {
        let config = match &args.config {
            Some(file) => ModelConfig::open(resolve(file)?)?,
            None => ModelConfig::viscpm_paint(),
        };
        let vocabulary = resolve(vocabulary)?;
        let vae = resolve_model(vae)?;
        let source = Source::official(&resolve(checkpoint)?, &vae, &vocabulary, config)?;
        return Ok((source.into(), name(checkpoint)));
    }
    let model = match &args.model {
        Some(model) => resolve_model(model)?,
        None => find_model(DEFAULT_MODEL)?,
    };
    // That of a downloaded file in the cache would be a checksum.
    let name = name(args.model.as_deref().unwrap_or(&model));
    if !model.exists() {
        return Err(format!(
            "{}: there is no such file or folder; name a folder with config.json or \
             model_index.json, or a single file of Stable Diffusion",
            model.display()
        )
        .into());
    }
    if model.is_file() {
        return Ok((single_file(&model, args, then)?.into(), name));
    }
    if args.tokenizer.is_some() {
        return Err(usage(format!(
            "--tokenizer is that of a single file, but {} is none",
            model.display()
        )));
    }
    Ok((ModelFiles::folder(&model)?, name))
}

/// A single file of Stable Diffusion.
fn single_file(
    file: &Path,
    args: &ModelArgs,
    then: Option<PredictionType>,
) -> Result<StableDiffusionSource, BoxError> {
    let Some(tokenizer) = &args.tokenizer else {
        return Err(usage(format!(
            "{}: a single file has no tokenizer; name a folder with vocab.json and merges.txt, or \
             with tokenizer.json, by --tokenizer",
            file.display()
        )));
    };
    let config = match &args.config {
        Some(config) => StableDiffusionConfig::open(resolve(config)?)?,
        None => {
            let prediction = args.prediction.map(Into::into).or(then);
            StableDiffusionConfig::of_single_file(file, prediction)?
        }
    };
    let tokenizer = resolve_model(tokenizer)?;
    let source = StableDiffusionSource::single_file(file, &tokenizer, config);
    Ok(source?)
}

/// The last part of a path as it was given; of the whole path if it is `.`.
fn name(path: &Path) -> String {
    let whole = path::absolute(path);
    let whole = whole.as_deref().unwrap_or(path);
    let name = whole.file_name().unwrap_or(whole.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Loads the parts of a studio.
pub struct Loader<'a, B: MpmBackend> {
    pub files: &'a ModelFiles,
    pub dtype: DtypeArg,
    pub quantization: Option<QuantizationScheme>,
    /// Bytes that the language model may take.
    pub memory_limit: Option<u64>,
    pub checks: &'a CheckArgs,
    pub device: &'a B::Device,
}

/// The small models around the large one.
pub struct Checks<B: MpmBackend> {
    prompts: Option<PromptClassifier<B>>,
    pictures: Option<PictureCheck<B>>,
    chooser: Option<PictureChooser<B>>,
}

impl<B: MpmBackend> Loader<'_, B> {
    /// Loads the small models, in the dtype in which they are stored: the dtype of the large one
    /// shall not change what is refused.
    pub fn checks(&self) -> Result<Checks<B>, BoxError> {
        let stored = LoadOptions::default();
        let (args, device) = (self.checks, self.device);
        let rule = BlockRule::default;
        let found = |given: &Option<PathBuf>| given.as_deref().map(resolve_model).transpose();
        let prompts = found(&args.prompt_checker)?;
        let prompts = prompts.map(|folder| PromptClassifier::open(folder, rule(), device, &stored));
        let pictures = found(&args.safety_checker)?;
        let pictures = pictures.map(|folder| PictureCheck::open(folder, device, &stored));
        let chooser = found(&args.clip)?;
        let chooser = chooser.map(|folder| PictureChooser::open(folder, device, &stored));
        Ok(Checks {
            prompts: prompts.transpose()?,
            pictures: pictures.transpose()?,
            chooser: chooser.transpose()?,
        })
    }

    /// Loads the language model. Takes its check out of `checks`, to be dropped together.
    pub fn reader(&self, checks: &mut Checks<B>) -> Result<PromptReader<B>, PaintError> {
        let mut text_encoder = with_progress("loading", self.dtype.precision(), |options| {
            let options = LoadOptions {
                quantization: self.quantization,
                memory_limit: self.memory_limit,
                ..options.clone()
            };
            self.files.text_encoder(self.device, &options)
        })?;
        if let PromptEncoder::Llm(encoder) = &mut text_encoder {
            note_waiting(&mut encoder.llm);
        }
        Ok(PromptReader {
            check: checks.prompts.take(),
            text_encoder,
        })
    }

    /// Loads the diffusion model.
    pub fn maker(&self, checks: Checks<B>) -> Result<PictureMaker<B>, PaintError> {
        Ok(PictureMaker {
            check: checks.pictures,
            chooser: checks.chooser,
            painter: with_progress("loading", self.dtype.precision(), |options| {
                let options = LoadOptions {
                    quantization: self.quantization,
                    ..options.clone()
                };
                self.files.painter(self.device, &options)
            })?,
        })
    }
}
