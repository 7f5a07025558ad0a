//! The stage of the paint model.

use std::{num::NonZeroU32, path::Path};

use burn::{backend::Autodiff, module::AutodiffModule, tensor::DType};
use mpm_core::{MpmBackend, weights::KeyMap};
use mpm_data::dataset::CaptionCleaning;
use mpm_diffusion::{LatentDiffusion, noise::NoiseSource, unet::UNetConfig};
use mpm_train::{
    BoxError,
    diffusion::DiffusionLoss,
    recipe::{DiffusionConfig, ObjectiveConfig, Recipe},
};
use viscpm_paint::{PaintModel, Painter};

use super::{PaintBatch, PaintObjective, PaintPreparer, PaintSample};
use crate::{
    BatchSource, DataShare, Preview, RunError, Stage,
    parts::{check_parts, load_options, load_part, start_anew},
};

/// The UNet learns to paint what the frozen language model reads.
pub struct PaintStage<B: MpmBackend> {
    start: PaintModel<B>,
    loss: DiffusionLoss,
    diffusion: DiffusionConfig,
    cleaning: Option<CaptionCleaning>,
    seed: u64,
    /// The last step of the run, counted from 0.
    last_step: usize,
}

impl<B: MpmBackend> Stage<B> for PaintStage<B> {
    type Model = LatentDiffusion<Autodiff<B>>;
    type Batch = PaintBatch;
    type Objective = PaintObjective<B>;
    type Source = BatchSource<PaintSample, PaintBatch>;

    fn open(recipe: &Recipe, device: &B::Device) -> Result<Self, BoxError> {
        let ObjectiveConfig::Diffusion(diffusion) = &recipe.objective else {
            return Err("`objective.kind` must be `diffusion` for a paint model".into());
        };
        let parts = ["llm", "unet", "trans_block"];
        check_parts(&recipe.model, &parts, "`llm`, `unet` and `trans_block`")?;
        let folder = &recipe.model.folder;
        let open = || -> Result<PaintModel<B>, BoxError> {
            let mut start = PaintModel::<B>::open(folder, device, &load_options(recipe))?;
            let (config, llm) = (&start.config, &mut start.text_encoder.llm);
            let model = &mut start.painter.diffusion;
            let fresh = config.diffusion(device)?;
            *model = start_anew::<B, _>(model.clone(), &fresh, recipe)?;
            *llm = load_part::<B, _>(llm.clone(), "llm", recipe)?;
            model.unet = load_part::<B, _>(model.unet.clone(), "unet", recipe)?;
            let trans_block = model.trans_block.clone();
            model.trans_block = load_part::<B, _>(trans_block, "trans_block", recipe)?;
            Ok(start)
        };
        let mut start = open().map_err(|source| RunError::Model {
            folder: folder.clone(),
            source,
        })?;
        for part in &recipe.recompute {
            match part.as_str() {
                "unet" => start.painter.diffusion.unet.recompute = true,
                _ => {
                    return Err(RunError::UnknownPart {
                        part: part.clone(),
                        known: "`unet` to recompute",
                    }
                    .into());
                }
            }
        }
        let stride = start.config.vae.downsampling();
        if let Some(size) = diffusion.resolutions.sizes().find(|size| size % stride > 0) {
            let reason = format!("`objective.resolutions` has {size}, no multiple of {stride}");
            return Err(reason.into());
        }
        Ok(Self {
            loss: DiffusionLoss::new(start.painter.schedule.clone(), diffusion.loss)?,
            diffusion: diffusion.clone(),
            cleaning: recipe.data.cleaning.clone(),
            seed: recipe.seed,
            last_step: recipe.steps.saturating_sub(1),
            start,
        })
    }

    fn model(&self) -> Self::Model {
        LatentDiffusion::from_inner(self.start.painter.diffusion.clone())
    }

    fn objective(&self) -> PaintObjective<B> {
        PaintObjective {
            text_encoder: self.start.text_encoder.clone(),
            vae: self.start.painter.vae.clone(),
            loss: self.loss.clone(),
            noise: NoiseSource::new(self.seed),
        }
    }

    fn source(&self, share: &DataShare) -> Result<Self::Source, BoxError> {
        let preparer = PaintPreparer {
            condition_dropout: match share.is_training {
                true => self.diffusion.condition_dropout,
                false => 0.0,
            },
            cleaning: self.cleaning.clone(),
            timesteps: self.loss.schedule().num_train_timesteps(),
        };
        let resolutions = self.diffusion.resolutions.clone();
        let (is_training, last_step) = (share.is_training, self.last_step);
        let prepare = move |example: &_, pictures: &[_], step: u64, rng: &mut _| {
            // What is measured has the size that the run ends with, so that scores can be compared.
            let step = match is_training {
                true => usize::try_from(step).unwrap_or(usize::MAX),
                false => last_step,
            };
            let size = resolutions.size_at(step);
            let size = u32::try_from(size).ok().and_then(NonZeroU32::new);
            let size = size.ok_or("the size of pictures must be positive")?;
            preparer.prepare(example, pictures, size, rng)
        };
        let collate = |samples: Vec<PaintSample>| Ok(samples.into_iter().collect());
        BatchSource::new(share, Box::new(prepare), Box::new(collate))
    }

    fn activations(&self, recipe: &Recipe) -> u64 {
        let largest = self.diffusion.resolutions.sizes().max().unwrap_or(0);
        let side = largest / self.start.config.vae.downsampling();
        let bytes = recipe.precision.half().map_or(4, |half| half.size());
        let values = kept_values(&self.start.config.unet, side, !recipe.recompute.is_empty());
        (recipe.batch.micro.get() * values * bytes) as u64
    }

    fn preview(&self, batch: &PaintBatch) -> Preview {
        let rows = batch.prompts.iter().zip(&batch.timesteps);
        Preview {
            pictures: batch.pictures.clone(),
            texts: rows
                .map(|(prompt, timestep)| format!("{prompt}\n→ noise of timestep {timestep}"))
                .collect(),
        }
    }

    fn checkpoint_keys() -> KeyMap {
        let (_llm, diffusion) = viscpm_paint::checkpoint_keys();
        diffusion
    }

    fn save(&self, model: Self::Model, folder: &Path) -> Result<(), BoxError> {
        let trained = PaintModel {
            painter: Painter {
                diffusion: model.valid(),
                ..self.start.painter.clone()
            },
            ..self.start.clone()
        };
        Ok(trained.save(folder, DType::F16)?)
    }
}

/// About how many values the UNet keeps for the gradients of one picture: eight planes of its
/// channels for each residual block, and 24 more for a transformer; one for both where they are
/// computed again.
fn kept_values(config: &UNetConfig, side: usize, recompute: bool) -> usize {
    const RESIDUAL: usize = 8;
    const TRANSFORMER: usize = 24;
    let planes = if recompute { 2 } else { RESIDUAL + TRANSFORMER };
    let levels = config.block_out_channels.iter().enumerate();
    let level = |(level, channels): (usize, &usize)| {
        let pixels = (side >> level).pow(2);
        // Down and up, which has one block more.
        pixels * channels * (2 * config.layers_per_block + 1) * planes
    };
    levels.map(level).sum()
}
