//! Sizes and settings of the published models.

use std::path::Path;

use mpm_core::{model_folder::FolderError, python_json, weights::WeightFile};
use mpm_diffusion::{
    schedule::{Convention, NoiseSchedule, NoiseScheduleConfig, PredictionType, SchedulerKind},
    unet::UNetConfig,
    vae::VaeConfig,
};
use mpm_llm::clip::{ClipTextConfig, SingleFileEncoder};
use serde::{Deserialize, Serialize};

use crate::{PaintDefaults, PaintError, PaintSettings, folder::check_latents};

/// The token behind a text in CLIP's vocabulary.
const END_OF_TEXT: i32 = 49_407;

/// What a Stable Diffusion is.
///
/// A folder of diffusers tells it; for a single file it is one of the published models, or written
/// down as JSON under these names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StableDiffusionConfig {
    /// The sizes of the text encoder.
    pub text_encoder: ClipTextConfig,
    /// The token that fills up prompts. `None`: that of the tokenizer's folder.
    pub pad_token_id: Option<i32>,
    /// The sizes of the UNet.
    pub unet: UNetConfig,
    /// The sizes of the autoencoder.
    pub vae: VaeConfig,
    /// The noise that the UNet was trained with.
    pub scheduler: NoiseScheduleConfig,
    /// What is painted unless something else is asked for.
    pub defaults: PaintDefaults,
}

impl StableDiffusionConfig {
    /// Stable Diffusion 1.5, at 512 × 512: prompts are filled up with the token behind a text.
    pub fn stable_diffusion_1_5() -> Self {
        Self::published(
            ClipTextConfig::vit_l14(),
            END_OF_TEXT,
            UNetConfig::stable_diffusion_1_5(),
            PredictionType::Epsilon,
        )
    }

    /// Stable Diffusion 2.1 base, at 512 × 512: prompts are filled up with token 0, as OpenCLIP
    /// does.
    pub fn stable_diffusion_2_1_base() -> Self {
        Self::published(
            ClipTextConfig::stable_diffusion_2(),
            0,
            UNetConfig::stable_diffusion_2_1(),
            PredictionType::Epsilon,
        )
    }

    /// Stable Diffusion 2.1, at 768 × 768, which predicts the velocity. Sizes of the weights are
    /// those of [`stable_diffusion_2_1_base`](Self::stable_diffusion_2_1_base).
    pub fn stable_diffusion_2_1() -> Self {
        let unet = UNetConfig {
            sample_size: 96,
            ..UNetConfig::stable_diffusion_2_1()
        };
        Self::published(
            ClipTextConfig::stable_diffusion_2(),
            0,
            unet,
            PredictionType::VPrediction,
        )
    }

    fn published(
        text_encoder: ClipTextConfig,
        padding: i32,
        unet: UNetConfig,
        prediction_type: PredictionType,
    ) -> Self {
        let vae = VaeConfig::stable_diffusion();
        Self {
            text_encoder,
            pad_token_id: Some(padding),
            defaults: Self::defaults_of(&unet, &vae),
            unet,
            vae,
            scheduler: NoiseScheduleConfig {
                prediction_type,
                ..NoiseScheduleConfig::stable_diffusion()
            },
        }
    }

    /// The size that a UNet was made for, and a sampler that needs few steps; of checked sizes.
    pub(super) fn defaults_of(unet: &UNetConfig, vae: &VaeConfig) -> PaintDefaults {
        PaintDefaults {
            size: unet.sample_size * vae.downsampling(),
            scheduler: SchedulerKind::DpmSolver,
            steps: None,
            guidance: 7.5,
        }
    }

    /// Which published model a single file holds.
    ///
    /// The names of its text encoder tell 1 from 2. What the UNet predicts cannot be seen:
    /// `prediction` says it. Without, it is the noise for 1, and the velocity for 2, whose 768
    /// models predict that; a 2 that predicts the noise is a base model of 512 pixels.
    ///
    /// # Errors
    /// [`PaintError::Weights`] when the file cannot be read, [`PaintError::NotStableDiffusion`] when
    /// it has no text encoder of either.
    pub fn of_single_file(
        file: &Path,
        prediction: Option<PredictionType>,
    ) -> Result<Self, PaintError> {
        let encoder = SingleFileEncoder::of(&WeightFile::open(file)?);
        let not_one = || PaintError::NotStableDiffusion {
            path: file.to_path_buf(),
        };
        let mut config = match (encoder.ok_or_else(not_one)?, prediction) {
            (SingleFileEncoder::Clip, _) => Self::stable_diffusion_1_5(),
            (SingleFileEncoder::OpenClip, Some(PredictionType::Epsilon)) => {
                Self::stable_diffusion_2_1_base()
            }
            (SingleFileEncoder::OpenClip, _) => Self::stable_diffusion_2_1(),
        };
        if let Some(prediction) = prediction {
            config.scheduler.prediction_type = prediction;
        }
        Ok(config)
    }

    /// Reads and checks a configuration.
    ///
    /// # Errors
    /// [`PaintError`] names the file and what is wrong with it.
    pub fn open(file: impl AsRef<Path>) -> Result<Self, PaintError> {
        let path = file.as_ref();
        let bytes = std::fs::read(path).map_err(|source| FolderError::Io {
            path: path.to_path_buf(),
            source,
        })?;
        let config: Self =
            python_json::from_slice(&bytes).map_err(|source| FolderError::Syntax {
                path: path.to_path_buf(),
                source,
            })?;
        config.validate()?;
        Ok(config)
    }

    /// Checks that the parts fit together.
    ///
    /// # Errors
    /// [`PaintError::Llm`], [`PaintError::Config`] and [`PaintError::Diffusion`].
    pub fn validate(&self) -> Result<(), PaintError> {
        self.text_encoder.validate()?;
        self.unet.validate()?;
        self.vae.validate()?;
        check_latents(&self.unet, &self.vae)?;
        let (text, unet) = (self.text_encoder.hidden_size, self.unet.cross_attention_dim);
        if text != unet {
            return Err(PaintError::Config {
                reason: format!(
                    "the text encoder's states have width {text} (`text_encoder.hidden_size`), \
                     but the UNet reads {unet} (`unet.cross_attention_dim`); make them equal"
                ),
            });
        }
        let vocabulary = self.text_encoder.vocab_size;
        if let Some(id) = self.pad_token_id
            && usize::try_from(id).map_or(true, |id| id >= vocabulary)
        {
            return Err(PaintError::Config {
                reason: format!(
                    "`pad_token_id` is {id}, but the text encoder knows tokens from 0 to {} \
                     (`text_encoder.vocab_size`)",
                    vocabulary - 1
                ),
            });
        }
        NoiseSchedule::new(self.scheduler.clone())?;
        Ok(())
    }

    /// What decides about pictures. Samplers place their steps as diffusers does today.
    pub fn settings(&self) -> PaintSettings {
        PaintSettings {
            downsampling: self.vae.downsampling(),
            scheduler: self.scheduler.clone(),
            convention: Convention::Current,
            defaults: self.defaults.clone(),
        }
    }
}
