//! A model as a folder.
//!
//! A folder holds
//!
//! - `config.json`: a [`ModelConfig`],
//! - the weights of language model, UNet and trans block, as safetensors under the official
//!   checkpoint's names,
//! - the autoencoder's, under diffusers' names,
//! - the vocabulary in CPM-Bee's published format, a token a line; for a model of the LLaMA family
//!   its `tokenizer.json` and the files beside it.

use std::path::{Path, PathBuf};

use burn::tensor::{DType, backend::Backend};
use mpm_core::{
    model_folder::{FolderWriter, read_config},
    weights::{KeyMap, LoadOptions, Precision, save},
};
use mpm_diffusion::{
    LatentDiffusion,
    schedule::{Convention, NoiseSchedule, NoiseScheduleConfig, SchedulerKind},
    unet::UNetConfig,
    vae::VaeConfig,
};
use mpm_llm::{
    any::{AnyLlm, AnyLlmConfig, AnyTokenizer},
    cpm_bee::CpmBeeConfig,
};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use crate::{
    PaintError, PaintRequest, PaintSettings, Painter, PromptTemplate, PromptTokenizer, Source,
    TextEncoder,
};

/// The version that this crate writes, and the newest that it reads.
pub const FORMAT_VERSION: u32 = 1;

const WEIGHTS_FILE: &str = "model.safetensors";
const VAE_FILE: &str = "vae.safetensors";
const VOCABULARY_FILE: &str = "vocab.txt";

/// The longest prompt, what stands around the text included: CPM-Bee tells no distances apart
/// beyond it.
const MAX_PROMPT_TOKENS: usize = 2048;

/// What `config.json` says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// [`FORMAT_VERSION`] of the writer.
    pub format_version: u32,
    /// The sizes of the language model: those of CPM-Bee, or the `config.json` of a model of the
    /// LLaMA family, which has a `model_type`.
    #[serde(deserialize_with = "llm_of")]
    pub llm: AnyLlmConfig,
    /// The sizes of the UNet.
    pub unet: UNetConfig,
    /// The sizes of the autoencoder.
    pub vae: VaeConfig,
    /// The noise that the UNet was trained with.
    pub scheduler: NoiseScheduleConfig,
    /// How samplers place their steps.
    pub convention: Convention,
    /// The file of language model, UNet and trans block, relative to the folder.
    pub weights: PathBuf,
    /// The file of the autoencoder, relative to the folder.
    pub vae_weights: PathBuf,
    /// The file of the vocabulary or of the tokenizer, relative to the folder.
    pub vocabulary: PathBuf,
    /// How a text becomes the language model's prompt.
    pub prompt: PromptTemplate,
    /// The longest prompt in tokens, what stands around the text included.
    pub max_prompt_tokens: usize,
    /// What is painted unless something else is asked for.
    pub defaults: PaintDefaults,
}

/// Names the part in which something is wrong.
fn llm_of<'de, D: Deserializer<'de>>(json: D) -> Result<AnyLlmConfig, D::Error> {
    let named = |error| D::Error::custom(format!("`llm`: {error}"));
    AnyLlmConfig::deserialize(json).map_err(named)
}

/// Settings that suit a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaintDefaults {
    /// Side in pixels.
    pub size: usize,
    /// The sampler.
    pub scheduler: SchedulerKind,
    /// The number of steps; `None` is the sampler's own.
    pub steps: Option<usize>,
    /// The guidance scale.
    pub guidance: f64,
}

impl PaintDefaults {
    /// How many steps a sampler takes unless something else is asked for.
    pub fn steps_of(&self, scheduler: SchedulerKind) -> usize {
        match self.steps {
            Some(steps) if scheduler == self.scheduler => steps,
            _ => scheduler.default_steps(),
        }
    }

    /// A request for a picture with these settings.
    pub(crate) fn request(&self, seed: u64) -> PaintRequest {
        PaintRequest {
            width: self.size,
            height: self.size,
            steps: self.steps_of(self.scheduler),
            scheduler: self.scheduler,
            guidance: self.guidance,
            seed,
        }
    }
}

impl ModelConfig {
    /// VisCPM-Paint: CPM-Bee 10B and Stable Diffusion 2.1 base at 512 × 512, painted by DDPM
    /// in 50 steps with guidance 7.5.
    pub fn viscpm_paint() -> Self {
        let unet = UNetConfig::stable_diffusion_2_1();
        let vae = VaeConfig::stable_diffusion();
        Self {
            defaults: PaintDefaults {
                size: unet.sample_size * vae.downsampling(),
                scheduler: SchedulerKind::Ddpm,
                steps: None,
                guidance: 7.5,
            },
            ..Self::new(CpmBeeConfig::cpm_bee_10b(), unet, vae)
        }
    }

    /// A configuration with the reference's limits, for any sizes.
    pub fn new(llm: impl Into<AnyLlmConfig>, unet: UNetConfig, vae: VaeConfig) -> Self {
        let llm = llm.into();
        Self {
            format_version: FORMAT_VERSION,
            defaults: PaintDefaults {
                // The sizes may be a file's, which nothing has checked yet.
                size: unet.sample_size.saturating_mul(vae.downsampling()),
                scheduler: SchedulerKind::DpmSolver,
                steps: None,
                guidance: 3.0,
            },
            prompt: PromptTemplate::default_of(llm.family()),
            max_prompt_tokens: match &llm {
                AnyLlmConfig::CpmBee(_) => MAX_PROMPT_TOKENS,
                AnyLlmConfig::Llama(file) => {
                    MAX_PROMPT_TOKENS.min(file.config().max_position_embeddings)
                }
            },
            llm,
            unet,
            vae,
            scheduler: NoiseScheduleConfig::stable_diffusion(),
            convention: Convention::default(),
            weights: WEIGHTS_FILE.into(),
            vae_weights: VAE_FILE.into(),
            vocabulary: VOCABULARY_FILE.into(),
        }
    }

    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`PaintError`] names the file and what is wrong with it.
    pub fn open(file: impl AsRef<Path>) -> Result<Self, PaintError> {
        let config: Self = read_config(file.as_ref(), FORMAT_VERSION)?;
        config.validate()?;
        Ok(config)
    }

    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// [`PaintError::Config`] and [`PaintError::Diffusion`].
    pub fn validate(&self) -> Result<(), PaintError> {
        self.unet.validate()?;
        self.vae.validate()?;
        check_latents(&self.unet, &self.vae)?;
        NoiseSchedule::new(self.scheduler.clone())?;
        self.prompt.validate(self.llm.family())
    }

    /// A UNet and a trans block of random weights, to be trained or loaded into.
    ///
    /// # Errors
    /// [`PaintError::Diffusion`] when the sizes make no UNet.
    pub fn diffusion<B: Backend>(
        &self,
        device: &B::Device,
    ) -> Result<LatentDiffusion<B>, PaintError> {
        let d_llm = self.llm.d_model();
        Ok(LatentDiffusion::new(&self.unet, d_llm, device)?)
    }

    /// What writes texts for the language model, whose tokenizer is given.
    pub fn prompt_tokenizer(&self, tokenizer: AnyTokenizer) -> PromptTokenizer {
        PromptTokenizer {
            tokenizer,
            template: self.prompt.clone(),
            max_tokens: self.max_prompt_tokens,
        }
    }

    /// What is painted unless something else is asked for.
    pub fn default_request(&self, seed: u64) -> PaintRequest {
        self.defaults.request(seed)
    }

    /// What decides about pictures beside the weights.
    pub fn settings(&self) -> PaintSettings {
        PaintSettings {
            downsampling: self.vae.downsampling(),
            scheduler: self.scheduler.clone(),
            convention: self.convention,
            defaults: self.defaults.clone(),
        }
    }
}

/// Checks that a UNet and an autoencoder have the same latents.
pub(crate) fn check_latents(unet: &UNetConfig, vae: &VaeConfig) -> Result<(), PaintError> {
    let (read, written, latents) = (unet.in_channels, unet.out_channels, vae.latent_channels);
    if [read, written] == [latents; 2] {
        return Ok(());
    }
    Err(PaintError::Config {
        reason: format!(
            "the autoencoder has {latents} latent channels (`vae.latent_channels`), but the UNet \
             reads {read} (`unet.in_channels`) and writes {written} (`unet.out_channels`); make \
             them equal"
        ),
    })
}

/// A whole model.
#[derive(Clone, Debug)]
pub struct PaintModel<B: Backend> {
    /// From prompts to hidden states.
    pub text_encoder: TextEncoder<B>,
    /// From hidden states to pictures.
    pub painter: Painter<B>,
    /// All the rest.
    pub config: ModelConfig,
}

impl<B: Backend> PaintModel<B> {
    /// Loads a model folder.
    ///
    /// # Errors
    /// [`PaintError`] names the file and what is wrong with it.
    pub fn open(
        folder: impl AsRef<Path>,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, PaintError> {
        let source = Source::folder(folder.as_ref())?;
        Ok(Self {
            text_encoder: source.text_encoder(device, options)?,
            painter: source.painter(device, options)?,
            config: source.config,
        })
    }

    /// Writes a model folder, with floating-point weights in `dtype`.
    ///
    /// # Errors
    /// [`PaintError::Folder`] and [`PaintError::Weights`] when the folder cannot be written; an
    /// older model in it stays usable, unless it is the moving of the complete files to their
    /// places that fails.
    pub fn save(&self, folder: impl AsRef<Path>, dtype: DType) -> Result<(), PaintError> {
        let mut writer = FolderWriter::create(folder.as_ref())?;
        let files = self.text_encoder.prompts.tokenizer.files()?;
        for (name, bytes) in &files {
            writer.write(name.as_ref(), bytes)?;
        }
        let precision = Precision::Cast(dtype);
        // The module that has the official names for its branches.
        let model = Checkpoint {
            llm: self.text_encoder.llm.clone(),
            unet: self.painter.diffusion.unet.clone(),
            trans_block: self.painter.diffusion.trans_block.clone(),
        };
        let keys = KeyMap::new();
        save(&model, writer.file(WEIGHTS_FILE.as_ref()), &keys, precision)?;
        let vae = writer.file(VAE_FILE.as_ref());
        save(&self.painter.vae, vae, &keys, precision)?;
        writer.finish(&ModelConfig {
            weights: WEIGHTS_FILE.into(),
            vae_weights: VAE_FILE.into(),
            vocabulary: files[0].0.into(),
            ..self.config.clone()
        })?;
        Ok(())
    }
}

/// The parameters of one official checkpoint.
#[derive(burn::module::Module, Debug)]
struct Checkpoint<B: Backend> {
    llm: AnyLlm<B>,
    unet: mpm_diffusion::unet::UNet2DConditionModel<B>,
    trans_block: Option<mpm_diffusion::TransBlock<B>>,
}
