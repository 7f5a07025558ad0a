//! The files of a Stable Diffusion: diffusers' folder, or a single one.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use mpm_core::{
    lora,
    pretrained::PretrainedFolder,
    weights::{KeyMap, LoadOptions, WeightFile, check, check_model, load, load_model},
};
use mpm_diffusion::{LatentDiffusion, schedule::NoiseSchedule, unet, vae};
use mpm_llm::clip::{ClipText, ClipTokenizer, SingleFileEncoder};

use super::{
    config::StableDiffusionConfig, folder, prompt::ClipPrompts, text_encoder::ClipPromptEncoder,
};
use crate::{PaintError, Painter};

/// The files of a Stable Diffusion, none of which is read before it is needed.
#[derive(Clone, Debug)]
pub struct StableDiffusionSource {
    /// What the model is.
    pub config: StableDiffusionConfig,
    /// The file of the text encoder.
    pub text_encoder: PathBuf,
    /// The file of the UNet.
    pub unet: PathBuf,
    /// The file of the autoencoder.
    pub vae: PathBuf,
    /// The folder of the tokenizer, see [`ClipTokenizer::open`].
    pub tokenizer: PathBuf,
    /// A folder of adapters for the UNet, as [`mpm_core::lora`] writes them; they are added to the
    /// weights.
    pub adapter: Option<PathBuf>,
}

impl StableDiffusionSource {
    /// Finds the files in a folder of diffusers: `model_index.json` and the folders `unet`, `vae`,
    /// `text_encoder`, `tokenizer` and `scheduler`.
    ///
    /// # Errors
    /// [`PaintError::Pretrained`] names the file and what is missing or wrong.
    pub fn folder(path: &Path) -> Result<Self, PaintError> {
        Ok(folder::open(path)?)
    }

    /// Takes a single file, as the authors of Stable Diffusion published it, and a folder with a
    /// tokenizer, which such a file lacks: that of any Stable Diffusion or CLIP, for all have the
    /// same.
    ///
    /// # Errors
    /// See [`StableDiffusionConfig::validate`].
    pub fn single_file(
        file: &Path,
        tokenizer: &Path,
        config: StableDiffusionConfig,
    ) -> Result<Self, PaintError> {
        config.validate()?;
        Ok(Self {
            config,
            text_encoder: file.to_path_buf(),
            unet: file.to_path_buf(),
            vae: file.to_path_buf(),
            tokenizer: tokenizer.to_path_buf(),
            adapter: None,
        })
    }

    /// Reads the tokenizer: what writes prompts for the text encoder.
    ///
    /// # Errors
    /// [`PaintError::NoTokenizer`]; [`PaintError::Pretrained`] names the file and what is missing or
    /// wrong.
    pub fn prompts(&self) -> Result<ClipPrompts, PaintError> {
        let not_there = |_| PaintError::NoTokenizer {
            path: self.tokenizer.clone(),
        };
        let folder = PretrainedFolder::open(&self.tokenizer).map_err(not_there)?;
        let tokenizer = ClipTokenizer::open(&folder, &self.config.text_encoder)?;
        Ok(ClipPrompts {
            tokenizer: match self.config.pad_token_id {
                Some(id) => tokenizer.with_padding(id),
                None => tokenizer,
            },
        })
    }

    /// Finds out whether the files hold the weights of this model, without reading any weight.
    ///
    /// # Errors
    /// As [`text_encoder`](Self::text_encoder) and [`painter`](Self::painter), but for what is
    /// wrong with single tensors.
    pub fn check<B: Backend>(&self, device: &B::Device) -> Result<(), PaintError> {
        let config = &self.config;
        let (file, keys) = self.text_encoder_file::<B>()?;
        check(&config.text_encoder.init::<B>(device)?, &file, &keys)?;
        let file = WeightFile::open(&self.unet)?;
        let options = LoadOptions {
            keys: unet::checkpoint_keys(&file),
            ..LoadOptions::default()
        };
        let unet = config.unet.init::<B>(device)?;
        check_model(unet.clone(), &file, &options)?;
        self.adapted(unet.into())?;
        let file = WeightFile::open(&self.vae)?;
        let vae = config.vae.init::<B>(device)?;
        Ok(check(&vae, &file, &vae::checkpoint_keys(&file))?)
    }

    /// Loads the text encoder and its tokenizer.
    ///
    /// # Errors
    /// [`PaintError`] names the file and what is wrong with it.
    pub fn text_encoder<B: Backend>(
        &self,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<ClipPromptEncoder<B>, PaintError> {
        let prompts = self.prompts()?;
        let (file, keys) = self.text_encoder_file::<B>()?;
        let options = with_keys(options, keys);
        Ok(ClipPromptEncoder {
            text_model: load(self.config.text_encoder.init(device)?, &file, &options)?,
            prompts,
        })
    }

    /// Loads the UNet and the autoencoder.
    ///
    /// # Errors
    /// [`PaintError`] names the file and what is wrong with it.
    pub fn painter<B: Backend>(
        &self,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Painter<B>, PaintError> {
        let config = &self.config;
        let file = WeightFile::open(&self.unet)?;
        let unet_options = with_keys(options, unet::checkpoint_keys(&file));
        let unet = load_model(config.unet.init(device)?, &file, &unet_options)?;
        let file = WeightFile::open(&self.vae)?;
        let vae_options = with_keys(options, vae::checkpoint_keys(&file));
        let settings = config.settings();
        Ok(Painter {
            diffusion: lora::merge(self.adapted(unet.into())?),
            vae: load(config.vae.init(device)?, &file, &vae_options)?,
            schedule: NoiseSchedule::new(settings.scheduler)?,
            convention: settings.convention,
        })
    }

    /// The file of the text encoder, and how its names lead to the parameters.
    fn text_encoder_file<B: Backend>(&self) -> Result<(WeightFile, KeyMap), PaintError> {
        let mut file = WeightFile::open(&self.text_encoder)?;
        let keys = match SingleFileEncoder::of(&file) {
            Some(encoder) => {
                let layers = self.config.text_encoder.num_hidden_layers;
                encoder.checkpoint_keys(&mut file, layers)
            }
            None => ClipText::<B>::checkpoint_keys(),
        };
        Ok((file, keys))
    }

    /// The model with its adapters.
    fn adapted<B: Backend>(
        &self,
        diffusion: LatentDiffusion<B>,
    ) -> Result<LatentDiffusion<B>, PaintError> {
        match &self.adapter {
            Some(folder) => Ok(lora::load(diffusion, folder, &KeyMap::new())?),
            None => Ok(diffusion),
        }
    }
}

fn with_keys(options: &LoadOptions, keys: KeyMap) -> LoadOptions {
    LoadOptions {
        keys,
        ..options.clone()
    }
}
