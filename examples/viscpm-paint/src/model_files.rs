//! The files of whichever model paints.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use mpm_core::weights::LoadOptions;

use crate::{
    PaintError, PaintSettings, Painter, PromptEncoder, PromptLimit, Source, StableDiffusionSource,
    stable_diffusion::INDEX_FILE,
};

/// The files of a model, none of which is read before it is needed.
#[derive(Clone, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a program has one of them, for as long as it runs"
)]
pub enum ModelFiles {
    /// VisCPM-Paint.
    VisCpm(Source),
    /// Stable Diffusion, with its own text encoder.
    StableDiffusion(StableDiffusionSource),
}

impl From<Source> for ModelFiles {
    fn from(source: Source) -> Self {
        Self::VisCpm(source)
    }
}

impl From<StableDiffusionSource> for ModelFiles {
    fn from(source: StableDiffusionSource) -> Self {
        Self::StableDiffusion(source)
    }
}

impl ModelFiles {
    /// Finds the files of a folder: one of diffusers, which has a `model_index.json`, else a model
    /// folder of VisCPM-Paint.
    ///
    /// # Errors
    /// Those of [`StableDiffusionSource::folder`] and [`Source::folder`].
    pub fn folder(path: &Path) -> Result<Self, PaintError> {
        match path.join(INDEX_FILE).is_file() {
            true => Ok(StableDiffusionSource::folder(path)?.into()),
            false => Ok(Source::folder(path)?.into()),
        }
    }

    /// What decides about pictures beside the weights.
    pub fn settings(&self) -> PaintSettings {
        match self {
            Self::VisCpm(source) => source.config.settings(),
            Self::StableDiffusion(source) => source.config.settings(),
        }
    }

    /// Adds a folder of adapters for the UNet to the weights.
    #[must_use]
    pub fn with_adapter(mut self, folder: PathBuf) -> Self {
        let adapter = match &mut self {
            Self::VisCpm(source) => &mut source.adapter,
            Self::StableDiffusion(source) => &mut source.adapter,
        };
        *adapter = Some(folder);
        self
    }

    /// What can tell whether a prompt can be read.
    ///
    /// # Errors
    /// Those of [`Source::prompt_tokenizer`] and [`StableDiffusionSource::prompts`].
    pub fn prompt_limit(&self) -> Result<Box<dyn PromptLimit>, PaintError> {
        Ok(match self {
            Self::VisCpm(source) => Box::new(source.prompt_tokenizer()?),
            Self::StableDiffusion(source) => Box::new(source.prompts()?),
        })
    }

    /// Finds out whether the files hold the weights of this model, without reading any weight.
    ///
    /// # Errors
    /// Those of [`Source::check`] and [`StableDiffusionSource::check`].
    pub fn check<B: Backend>(&self, device: &B::Device) -> Result<(), PaintError> {
        match self {
            Self::VisCpm(source) => source.check::<B>(device),
            Self::StableDiffusion(source) => source.check::<B>(device),
        }
    }

    /// Loads what reads prompts.
    ///
    /// # Errors
    /// [`PaintError`] names the file and what is wrong with it.
    pub fn text_encoder<B: Backend>(
        &self,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<PromptEncoder<B>, PaintError> {
        Ok(match self {
            Self::VisCpm(source) => source.text_encoder(device, options)?.into(),
            Self::StableDiffusion(source) => source.text_encoder(device, options)?.into(),
        })
    }

    /// Loads what paints.
    ///
    /// # Errors
    /// [`PaintError`] names the file and what is wrong with it.
    pub fn painter<B: Backend>(
        &self,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Painter<B>, PaintError> {
        match self {
            Self::VisCpm(source) => source.painter(device, options),
            Self::StableDiffusion(source) => source.painter(device, options),
        }
    }
}
