//! The stages: language, autoencoder, painter, judge.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
};

use burn::{
    backend::Autodiff,
    module::AutodiffModule,
    tensor::{DType, ElementConversion, backend::Backend},
};
use emoji_training::{BoxError, Stage, StageRun, full_precision, sample_rng, train};
use mpm_core::{
    MpmBackend, atomic,
    backend::BackendTask,
    weights::{KeyMap, Precision, WeightFile, load, save},
};
use mpm_data::emoji::{EmojiSet, TaskOptions, Tasks};
use mpm_diffusion::{
    LatentDiffusion, noise::NoiseSource, schedule::NoiseSchedule, vae::AutoencoderKl,
};
use mpm_train::{diffusion::DiffusionLoss, freeze::train_only};
use viscpm_chat::ChatModel;
use viscpm_paint::{ModelConfig, PaintModel, Painter, PromptTokenizer, TextEncoder, from_pictures};

use crate::{
    autoencoder::{AutoencoderObjective, PictureSource},
    judge::{Judge, JudgeObjective, JudgeSource},
    language::{LanguageObjective, TextSource},
    latents::Latents,
    painter::{PaintSource, PainterObjective},
    recipe::Recipe,
    things::Things,
};

/// The longest prompt; the language model saw none longer in training.
const MAX_PROMPT_TOKENS: usize = 128;

/// Pictures over which the latents' deviation is measured.
const MEASURED_PICTURES: u64 = 256;

/// A stage of the recipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum StageName {
    /// More words for the language model, from bilingual text.
    Language,
    /// Pictures to latents and back.
    Autoencoder,
    /// English prompts to latents; the language model is frozen.
    Painter,
    /// Pictures to things, to judge the painter.
    Judge,
}

impl StageName {
    /// The folder of the stage within the run's.
    pub fn folder(self, run: &Path) -> PathBuf {
        run.join(match self {
            Self::Language => "language",
            Self::Autoencoder => "autoencoder",
            Self::Painter => "painter",
            Self::Judge => "judge",
        })
    }
}

/// The weights of a finished stage but the painter.
pub const WEIGHTS_FILE: &str = "weights.safetensors";

/// The measured `scaling_factor` of a finished autoencoder.
const SCALING_FILE: &str = "scaling.json";

/// Runs one stage, from its newest checkpoint where there is one.
pub struct RunStage {
    pub name: StageName,
    pub recipe: Recipe,
    pub run: PathBuf,
    pub set: &'static EmojiSet,
    /// The chat model whose language model reads the prompts.
    pub chat_model: PathBuf,
    pub checkpoint_every: NonZeroUsize,
}

impl BackendTask for RunStage {
    type Output = Result<(), BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let things = Arc::new(self.recipe.things(self.set)?);
        // Weights differ between stages and runs only by what they learn.
        Autodiff::<B>::seed(&device, self.recipe.seed);
        match self.name {
            StageName::Language => self.language::<B>(&device),
            StageName::Autoencoder => self.autoencoder::<B>(&things, &device),
            StageName::Painter => self.painter::<B>(&things, &device),
            StageName::Judge => self.judge::<B>(&things, &device),
        }
    }
}

impl RunStage {
    fn stage_run<'a>(&self, stage: &'a Stage) -> StageRun<'a> {
        StageRun {
            stage,
            folder: self.name.folder(&self.run),
            seed: self.recipe.seed,
            checkpoint_every: self.checkpoint_every,
        }
    }

    fn language<B: MpmBackend>(&self, device: &B::Device) -> Result<(), BoxError> {
        let stage = &self.recipe.language;
        let chat = ChatModel::<Autodiff<B>>::open(&self.chat_model, device, &full_precision())?;
        let source = TextSource {
            tasks: Arc::new(Tasks::new(self.set, &TaskOptions::default())?),
            tokenizer: chat.tokenizer,
            // Other samples than those of the chat model's language stage.
            seed: !self.recipe.seed,
            batch: stage.part(),
            next: 0,
        };
        let llm = chat.model.llm;
        let trained = train::<B, _, _>(&self.stage_run(stage), LanguageObjective, llm, source)?;
        let llm = trained.average.unwrap_or(trained.model).valid();
        save_weights(&llm, &self.name.folder(&self.run))
    }

    fn autoencoder<B: MpmBackend>(
        &self,
        things: &Arc<Things>,
        device: &B::Device,
    ) -> Result<(), BoxError> {
        let recipe = &self.recipe;
        let stage = &recipe.autoencoder;
        let source = PictureSource {
            things: things.clone(),
            seed: recipe.seed,
            resolutions: recipe.autoencoder_resolutions.clone(),
            batch: stage.part(),
            parts: stage.parts.get(),
            latent_channels: recipe.vae.latent_channels,
            downsampling: recipe.vae.downsampling(),
            next: 0,
        };
        let objective = AutoencoderObjective {
            loss: recipe.autoencoder_loss,
        };
        let model = recipe.vae.init::<Autodiff<B>>(device)?;
        let trained = train::<B, _, _>(&self.stage_run(stage), objective, model, source)?;
        let vae = trained.average.unwrap_or(trained.model).valid();
        let deviation = self.latent_deviation(&vae, things, device)?;
        let folder = self.name.folder(&self.run);
        save_weights(&vae, &folder)?;
        let scaling = serde_json::to_vec(&deviation.recip())?;
        Ok(atomic::write_bytes(&folder.join(SCALING_FILE), &scaling)?)
    }

    /// The deviation of latents: its reciprocal scales them for the UNet, as the reference's
    /// `scaling_factor` does.
    fn latent_deviation<B: MpmBackend>(
        &self,
        vae: &AutoencoderKl<B>,
        things: &Things,
        device: &B::Device,
    ) -> Result<f64, BoxError> {
        let mut pictures = Vec::new();
        for index in 0..MEASURED_PICTURES {
            let thing = index as usize % things.len();
            pictures.push(things.draw_to_paint(thing, &mut sample_rng(!self.recipe.seed, index))?);
        }
        let latents = vae.encode(from_pictures::<B>(&pictures, device)?)?.mean;
        let mean = latents.clone().mean();
        let variance = (latents - mean.unsqueeze()).square().mean();
        Ok(variance.into_scalar().elem::<f64>().sqrt())
    }

    fn painter<B: MpmBackend>(
        &self,
        things: &Arc<Things>,
        device: &B::Device,
    ) -> Result<(), BoxError> {
        let recipe = &self.recipe;
        let stage = &recipe.painter;
        let (vae, scaling_factor) = self.load_autoencoder::<B>(device)?;
        let mut latents = BTreeMap::new();
        for size in recipe.painter_resolutions.sizes() {
            let versions = recipe.versions.get();
            let encoded = Latents::encode(&vae, things, size, versions, recipe.seed)?;
            latents.insert(size, encoded);
        }
        let schedule = NoiseSchedule::new(recipe.scheduler.clone())?;
        let text_encoder = self.load_text_encoder::<B>(device)?;
        let objective = PainterObjective {
            text_encoder: text_encoder.clone(),
            loss: DiffusionLoss::new(schedule.clone(), recipe.painter_loss)?,
            states_noise: NoiseSource::new(recipe.seed),
        };
        let source = PaintSource {
            things: things.clone(),
            latents,
            resolutions: recipe.painter_resolutions.clone(),
            seed: recipe.seed,
            timesteps: schedule.num_train_timesteps(),
            condition_dropout: recipe.condition_dropout,
            max_states_noise: recipe.max_states_noise,
            batch: stage.part(),
            parts: stage.parts.get(),
            next: 0,
        };
        let d_llm = text_encoder.llm.config().dim_model;
        let model = LatentDiffusion::<Autodiff<B>>::new(&recipe.unet, d_llm, device)?;
        let model = train_only::<Autodiff<B>, _>(model, &recipe.painter_parts.patterns())?;
        let trained = train::<B, _, _>(&self.stage_run(stage), objective, model, source)?;
        let mut config = ModelConfig::new(
            text_encoder.llm.config().clone(),
            recipe.unet.clone(),
            recipe.vae.clone(),
        );
        config.vae.scaling_factor = scaling_factor;
        config.scheduler = recipe.scheduler.clone();
        config.prompt = recipe.prompt.clone();
        config.max_prompt_tokens = MAX_PROMPT_TOKENS;
        config.defaults = recipe.defaults.clone();
        let painter = Painter {
            diffusion: trained.average.unwrap_or(trained.model).valid(),
            vae,
            convention: config.convention,
            schedule,
        };
        let model = PaintModel {
            text_encoder,
            painter,
            config,
        };
        Ok(model.save(self.name.folder(&self.run), DType::F32)?)
    }

    /// The finished language model, with the chat model's tokenizer.
    fn load_text_encoder<B: MpmBackend>(
        &self,
        device: &B::Device,
    ) -> Result<TextEncoder<B>, BoxError> {
        let chat = ChatModel::<B>::open(&self.chat_model, device, &full_precision())?;
        let file = StageName::Language.folder(&self.run).join(WEIGHTS_FILE);
        let file = WeightFile::open(&file)
            .map_err(|error| format!("{error}; train the language model first"))?;
        Ok(TextEncoder {
            llm: load(chat.model.llm, &file, &full_precision())?,
            prompts: PromptTokenizer {
                tokenizer: chat.tokenizer,
                template: self.recipe.prompt.clone(),
                max_tokens: MAX_PROMPT_TOKENS,
            },
        })
    }

    /// The finished autoencoder with its measured scale.
    fn load_autoencoder<B: MpmBackend>(
        &self,
        device: &B::Device,
    ) -> Result<(AutoencoderKl<B>, f64), BoxError> {
        let folder = StageName::Autoencoder.folder(&self.run);
        let scaling = std::fs::read(folder.join(SCALING_FILE)).map_err(|error| {
            format!("{}: {error}; train the autoencoder first", folder.display())
        })?;
        let mut config = self.recipe.vae.clone();
        config.scaling_factor = serde_json::from_slice(&scaling)?;
        let file = WeightFile::open(folder.join(WEIGHTS_FILE))?;
        let vae = load(config.init(device)?, &file, &full_precision())?;
        Ok((vae, config.scaling_factor))
    }

    fn judge<B: MpmBackend>(
        &self,
        things: &Arc<Things>,
        device: &B::Device,
    ) -> Result<(), BoxError> {
        let stage = &self.recipe.judge;
        let source = JudgeSource {
            things: things.clone(),
            seed: self.recipe.seed,
            batch: stage.part(),
            next: 0,
        };
        let model = Judge::<Autodiff<B>>::new(things.len(), device);
        let trained = train::<B, _, _>(&self.stage_run(stage), JudgeObjective, model, source)?;
        save_weights(&trained.model.valid(), &self.name.folder(&self.run))
    }
}

fn save_weights<B: Backend, M: burn::module::Module<B>>(
    model: &M,
    folder: &Path,
) -> Result<(), BoxError> {
    let file = folder.join(WEIGHTS_FILE);
    Ok(save(model, file, &KeyMap::new(), Precision::AsStored)?)
}
