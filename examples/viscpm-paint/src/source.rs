//! The files of a model: its folder's, or the official ones.

use std::path::{Path, PathBuf};

use burn::tensor::backend::Backend;
use mpm_core::{
    lora,
    model_folder::CONFIG_FILE,
    weights::{
        KeyMap, LoadOptions, WeightFile, WeightsError, check, check_model, load, load_model,
        load_streamed,
    },
};
use mpm_diffusion::{LatentDiffusion, schedule::NoiseSchedule, vae};
use mpm_llm::any::AnyTokenizer;

use crate::{ModelConfig, PaintError, Painter, PromptTokenizer, TextEncoder, diffusers};

/// The branches of the official checkpoint.
const LLM: &str = "llm";
const UNET: &str = "unet";
const TRANS_BLOCK: &str = "trans_block";

/// Room for what the language model computes beside its weights, in bytes, where memory is limited.
const WORKING_MEMORY: u64 = 400_000_000;

/// How the official checkpoint's names lead to the parameters of [`TextEncoder::llm`] and of
/// [`Painter::diffusion`].
///
/// | in the file | language model | diffusion |
/// |---|---|---|
/// | `llm.*` | `*` | – |
/// | `unet.*` | – | the same |
/// | `trans_block.*` | – | the same |
pub fn checkpoint_keys() -> (KeyMap, KeyMap) {
    let llm = KeyMap::new()
        .rename(LLM, "")
        .unused(UNET)
        .unused(TRANS_BLOCK);
    (llm, KeyMap::new().unused(LLM))
}

/// The files of a model, none of which is read before it is needed: the language model can be
/// dropped before the UNet is loaded.
#[derive(Clone, Debug)]
pub struct Source {
    /// What the model is.
    pub config: ModelConfig,
    /// The file of language model, UNet and trans block.
    pub weights: PathBuf,
    /// The file of the autoencoder.
    pub vae_weights: PathBuf,
    /// The file of the vocabulary or of the tokenizer.
    pub vocabulary: PathBuf,
    /// A folder of adapters for UNet and trans block, as [`mpm_core::lora`] writes them; they are
    /// added to the weights.
    pub adapter: Option<PathBuf>,
}

impl Source {
    /// Finds a model folder's files.
    ///
    /// # Errors
    /// [`PaintError`] names what is wrong with the folder's configuration.
    pub fn folder(folder: &Path) -> Result<Self, PaintError> {
        let config = ModelConfig::open(folder.join(CONFIG_FILE))?;
        Ok(Self {
            weights: folder.join(&config.weights),
            vae_weights: folder.join(&config.vae_weights),
            vocabulary: folder.join(&config.vocabulary),
            config,
            adapter: None,
        })
    }

    /// Takes the official files: a checkpoint as `torch.save` or safetensors wrote it, an
    /// autoencoder, and the vocabulary.
    ///
    /// The autoencoder is a file of weights, whose sizes `config` tells, or a folder of diffusers:
    /// its own, or that of a whole Stable Diffusion, which has it in `vae/`. Then the folder's
    /// `config.json` tells the sizes, and `scheduler/scheduler_config.json`, if there is one, the
    /// noise.
    ///
    /// # Errors
    /// [`PaintError::Pretrained`] when the folder has no autoencoder, [`PaintError::Config`] when
    /// it does not fit `config`.
    pub fn official(
        checkpoint: &Path,
        vae: &Path,
        vocabulary: &Path,
        config: ModelConfig,
    ) -> Result<Self, PaintError> {
        let mut source = Self {
            config,
            weights: checkpoint.to_path_buf(),
            vae_weights: vae.to_path_buf(),
            vocabulary: vocabulary.to_path_buf(),
            adapter: None,
        };
        if vae.is_dir() {
            let found = diffusers::autoencoder(vae)?;
            source.config.vae = found.config;
            source.vae_weights = found.weights;
            if let Some(scheduler) = diffusers::scheduler(vae)? {
                source.config.scheduler = scheduler;
            }
        }
        source.config.validate()?;
        Ok(source)
    }

    /// Reads the tokenizer: what writes texts for the language model.
    ///
    /// # Errors
    /// [`PaintError::Pretrained`] names the file and what is wrong with it.
    pub fn prompt_tokenizer(&self) -> Result<PromptTokenizer, PaintError> {
        let tokenizer = AnyTokenizer::open(&self.vocabulary, &self.config.llm)?;
        Ok(self.config.prompt_tokenizer(tokenizer))
    }

    /// Finds out whether the files hold the weights of this model, without reading any weight.
    ///
    /// # Errors
    /// As [`text_encoder`](Self::text_encoder) and [`painter`](Self::painter), but for what is
    /// wrong with single tensors.
    pub fn check<B: Backend>(&self, device: &B::Device) -> Result<(), PaintError> {
        let file = WeightFile::open(&self.weights)?;
        let explain = |error| self.explain(error, &file);
        let [llm_options, diffusion_options] = options_of(&LoadOptions::default());
        let llm = self.config.llm.init::<B>(device)?;
        check_model(llm, &file, &llm_options).map_err(explain)?;
        let diffusion = self.config.diffusion::<B>(device)?;
        check_model(diffusion.clone(), &file, &diffusion_options).map_err(explain)?;
        self.adapted(diffusion)?;
        let file = WeightFile::open(&self.vae_weights)?;
        let vae = self.config.vae.init::<B>(device)?;
        Ok(check(&vae, &file, &vae::checkpoint_keys(&file))?)
    }

    /// Loads the language model and its tokenizer. Where `options` limit the memory, layers that
    /// find no room wait in the file.
    ///
    /// # Errors
    /// [`PaintError`] names the file and what is wrong with it.
    pub fn text_encoder<B: Backend>(
        &self,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<TextEncoder<B>, PaintError> {
        let prompts = self.prompt_tokenizer()?;
        let file = WeightFile::open(&self.weights)?;
        let [options, _] = options_of(options);
        let options = LoadOptions {
            memory_limit: options
                .memory_limit
                .map(|limit| limit.saturating_sub(WORKING_MEMORY)),
            ..options
        };
        let llm = load_streamed(self.config.llm.init(device)?, &file, &options);
        Ok(TextEncoder {
            llm: llm.map_err(|error| self.explain(error, &file))?,
            prompts,
        })
    }

    /// Loads the UNet, the trans block and the autoencoder.
    ///
    /// # Errors
    /// [`PaintError`] names the file and what is wrong with it.
    pub fn painter<B: Backend>(
        &self,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Painter<B>, PaintError> {
        let config = &self.config;
        config.validate()?;
        let file = WeightFile::open(&self.weights)?;
        let [_, diffusion_options] = options_of(options);
        let diffusion = load_model(config.diffusion(device)?, &file, &diffusion_options)
            .map_err(|error| self.explain(error, &file))?;
        let file = WeightFile::open(&self.vae_weights)?;
        let vae_options = LoadOptions {
            keys: vae::checkpoint_keys(&file),
            ..options.clone()
        };
        Ok(Painter {
            diffusion: lora::merge(self.adapted(diffusion)?),
            vae: load(config.vae.init(device)?, &file, &vae_options)?,
            schedule: NoiseSchedule::new(config.scheduler.clone())?,
            convention: config.convention,
        })
    }

    /// The model with its adapters.
    fn adapted<B: Backend>(
        &self,
        diffusion: LatentDiffusion<B>,
    ) -> Result<LatentDiffusion<B>, PaintError> {
        let Some(folder) = &self.adapter else {
            return Ok(diffusion);
        };
        let (_, keys) = checkpoint_keys();
        Ok(lora::load(diffusion, folder, &keys)?)
    }

    /// Names the most likely mistake.
    fn explain(&self, error: WeightsError, file: &WeightFile) -> PaintError {
        let is_chat = file.tensors().keys().any(|key| key.starts_with("vpm."));
        match error {
            WeightsError::Mismatch { .. } if is_chat => PaintError::ChatCheckpoint {
                path: self.weights.clone(),
            },
            other => other.into(),
        }
    }
}

/// The same options for the language model and for UNet and trans block.
fn options_of(options: &LoadOptions) -> [LoadOptions; 2] {
    let (llm, diffusion) = checkpoint_keys();
    [llm, diffusion].map(|keys| LoadOptions {
        keys,
        ..options.clone()
    })
}
