//! Which model the arguments name, and loading it.

use std::{fs, path::Path};

use mpm_core::{MpmBackend, weights::LoadOptions};
use mpm_llm::bert::{BlockRule, PromptClassifier};
use viscpm_common::cli::{BoxError, DtypeArg, find_model, resolve, with_progress};
use viscpm_paint::{
    ModelConfig, PaintError, PictureCheck, PictureChooser, PictureMaker, PromptReader, Source,
};

use super::args::{CheckArgs, ModelArgs};

/// The model that ships with the repository.
const DEFAULT_MODEL: &str = "models/viscpm-paint-emoji";

/// Finds the files that the arguments name. Also returns the model's name, and that of its
/// adapters.
pub fn find(args: &ModelArgs) -> Result<(Source, String), BoxError> {
    let (mut source, mut found) = find_model_files(args)?;
    if let Some(folder) = &args.lora {
        found.push('+');
        found.push_str(&name(folder));
        source.adapter = Some(folder.clone());
    }
    Ok((source, found))
}

fn find_model_files(args: &ModelArgs) -> Result<(Source, String), BoxError> {
    if let (Some(checkpoint), Some(vae), Some(vocabulary)) =
        (&args.checkpoint, &args.vae, &args.vocab)
    {
        let config = match &args.config {
            Some(file) => ModelConfig::open(file)?,
            None => ModelConfig::viscpm_paint(),
        };
        let vocabulary = resolve(vocabulary)?;
        let source = Source::official(&resolve(checkpoint)?, &resolve(vae)?, &vocabulary, config)?;
        return Ok((source, name(checkpoint)));
    }
    let folder = match &args.model {
        Some(folder) => folder.clone(),
        None => find_model(DEFAULT_MODEL)?,
    };
    Ok((Source::folder(&folder)?, name(&folder)))
}

/// The last part of a path; of the whole path if it is `.`.
fn name(path: &Path) -> String {
    let whole = fs::canonicalize(path);
    let whole = whole.as_deref().unwrap_or(path);
    let name = whole.file_name().unwrap_or(whole.as_os_str());
    name.to_string_lossy().into_owned()
}

/// Loads the parts of a studio.
pub struct Loader<'a, B: MpmBackend> {
    pub source: &'a Source,
    pub dtype: DtypeArg,
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
    pub fn checks(&self) -> Result<Checks<B>, PaintError> {
        let stored = LoadOptions::default();
        let (args, device) = (self.checks, self.device);
        let rule = BlockRule::default;
        let prompts = args.prompt_checker.as_ref();
        let prompts = prompts.map(|folder| PromptClassifier::open(folder, rule(), device, &stored));
        let pictures = args.safety_checker.as_ref();
        let pictures = pictures.map(|folder| PictureCheck::open(folder, device, &stored));
        let chooser = args.clip.as_ref();
        let chooser = chooser.map(|folder| PictureChooser::open(folder, device, &stored));
        Ok(Checks {
            prompts: prompts.transpose()?,
            pictures: pictures.transpose()?,
            chooser: chooser.transpose()?,
        })
    }

    /// Loads the language model. Takes its check out of `checks`, to be dropped together.
    pub fn reader(&self, checks: &mut Checks<B>) -> Result<PromptReader<B>, PaintError> {
        Ok(PromptReader {
            check: checks.prompts.take(),
            text_encoder: with_progress("loading", self.dtype.precision(), |options| {
                self.source.text_encoder(self.device, options)
            })?,
        })
    }

    /// Loads the diffusion model.
    pub fn maker(&self, checks: Checks<B>) -> Result<PictureMaker<B>, PaintError> {
        Ok(PictureMaker {
            check: checks.pictures,
            chooser: checks.chooser,
            painter: with_progress("loading", self.dtype.precision(), |options| {
                self.source.painter(self.device, options)
            })?,
        })
    }
}
