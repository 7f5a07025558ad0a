//! The stages: autoencoder, painter, judge.

use std::{collections::BTreeMap, num::NonZeroUsize, path::PathBuf, sync::Arc};

use burn::{
    backend::Autodiff,
    module::{AutodiffModule, Module},
    tensor::{DType, ElementConversion, backend::Backend},
};
use emoji_training::{BoxError, Stage, StageRun, full_precision, sample_rng, train};
use mpm_core::{
    MpmBackend, atomic,
    backend::BackendTask,
    weights::{KeyMap, Precision, WeightFile, load, save},
};
use mpm_data::emoji::EmojiSet;
use mpm_diffusion::{noise::NoiseSource, schedule::NoiseSchedule, vae::AutoencoderKl};
use mpm_train::{diffusion::DiffusionLoss, freeze::train_only};
use viscpm_chat::ChatModel;
use viscpm_paint::{ModelConfig, PaintModel, Painter, TextEncoder, from_pictures};

use crate::{
    autoencoder::{AutoencoderObjective, PictureSource},
    folders::{Folders, SCALING_FILE, StageName, WEIGHTS_FILE},
    judge::{Judge, JudgeObjective, JudgeSource},
    latents::Latents,
    painter::{PaintSource, PainterObjective},
    recipe::Recipe,
    things::Things,
};

/// The longest prompt; the language model saw none longer in training.
const MAX_PROMPT_TOKENS: usize = 128;

/// Pictures over which the latents' deviation is measured.
const MEASURED_PICTURES: u64 = 256;

/// Runs one stage, from its newest checkpoint where there is one.
pub struct RunStage {
    /// Which.
    pub name: StageName,
    /// All settings.
    pub recipe: Recipe,
    /// Where all stages are, the earlier ones too.
    pub folders: Folders,
    /// What there is to learn from.
    pub set: &'static EmojiSet,
    /// The chat model whose language model reads the prompts.
    pub chat_model: PathBuf,
    /// Steps between two checkpoints.
    pub checkpoint_every: NonZeroUsize,
}

impl BackendTask for RunStage {
    type Output = Result<(), BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        let things = Arc::new(self.recipe.things(self.set)?);
        // Weights differ between stages and runs only by what they learn.
        Autodiff::<B>::seed(&device, self.recipe.seed);
        match self.name {
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
            folder: self.folders.stage(self.name).to_path_buf(),
            seed: self.recipe.seed,
            checkpoint_every: self.checkpoint_every,
        }
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
        self.save_weights(&vae)?;
        let scaling = serde_json::to_vec(&deviation.recip())?;
        let file = self.folders.autoencoder.join(SCALING_FILE);
        Ok(atomic::write_bytes(&file, &scaling)?)
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
            let mut rng = sample_rng(!self.recipe.seed, index);
            let size = self.recipe.defaults.size;
            pictures.push(things.draw_to_paint(thing, size, &mut rng)?);
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
        let (text_encoder, config) = self.load_text_encoder::<B>(scaling_factor, device)?;
        let mut latents = BTreeMap::new();
        for size in recipe.painter_resolutions.sizes() {
            let versions = recipe.versions.get();
            let encoded = Latents::encode(&vae, things, size, versions, recipe.seed)?;
            latents.insert(size, encoded);
        }
        let schedule = NoiseSchedule::new(recipe.scheduler.clone())?;
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
        let model = config.diffusion::<Autodiff<B>>(device)?;
        let model = train_only::<Autodiff<B>, _>(model, &recipe.painter_parts.patterns())?;
        let trained = train::<B, _, _>(&self.stage_run(stage), objective, model, source)?;
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
        Ok(model.save(&self.folders.painter, DType::F32)?)
    }

    /// The chat model's language model and tokenizer, and what the painter behind them will be.
    fn load_text_encoder<B: MpmBackend>(
        &self,
        scaling_factor: f64,
        device: &B::Device,
    ) -> Result<(TextEncoder<B>, ModelConfig), BoxError> {
        let recipe = &self.recipe;
        let chat = ChatModel::<B>::open(&self.chat_model, device, &full_precision())?;
        let llm = chat.config.model.llm;
        let mut config = ModelConfig::new(llm, recipe.unet.clone(), recipe.vae.clone());
        config.vae.scaling_factor = scaling_factor;
        config.scheduler = recipe.scheduler.clone();
        config.prompt = recipe.prompt.clone();
        config.max_prompt_tokens = config.max_prompt_tokens.min(MAX_PROMPT_TOKENS);
        config.defaults = recipe.defaults.clone();
        config.validate()?;
        let text_encoder = TextEncoder {
            llm: chat.model.llm,
            prompts: config.prompt_tokenizer(chat.tokenizer),
        };
        Ok((text_encoder, config))
    }

    /// The finished autoencoder with its measured scale.
    fn load_autoencoder<B: MpmBackend>(
        &self,
        device: &B::Device,
    ) -> Result<(AutoencoderKl<B>, f64), BoxError> {
        let folder = &self.folders.autoencoder;
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
            size: self.recipe.defaults.size,
            batch: stage.part(),
            next: 0,
        };
        let model = Judge::<Autodiff<B>>::new(things.len(), device);
        let trained = train::<B, _, _>(&self.stage_run(stage), JudgeObjective, model, source)?;
        self.save_weights(&trained.model.valid())
    }

    /// Writes what a stage has trained.
    fn save_weights<B: Backend, M: Module<B>>(&self, model: &M) -> Result<(), BoxError> {
        let file = self.folders.stage(self.name).join(WEIGHTS_FILE);
        Ok(save(model, file, &KeyMap::new(), Precision::AsStored)?)
    }
}
