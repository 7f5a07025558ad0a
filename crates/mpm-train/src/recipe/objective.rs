//! What is minimised.

use serde::{Deserialize, Serialize};

use super::Assembly;
use crate::TrainError;
use crate::diffusion::{DiffusionLossConfig, ResolutionSchedule};

/// What is minimised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ObjectiveConfig {
    /// The language-model loss on captions: paper, section 3.3, the first stage.
    Captions,
    /// The language-model loss on the responses of conversations: paper, section 3.3, the
    /// second stage.
    Instructions,
    /// The noise in the latents of pictures: paper, section 3.4.
    Diffusion(DiffusionConfig),
    /// Sentences of one meaning get the same states: what the paper presupposes of a language
    /// model, for small ones that have not learnt it.
    Alignment(AlignmentConfig),
}

/// Settings of [`ObjectiveConfig::Diffusion`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiffusionConfig {
    /// Sizes of pictures in pixels, and for how many steps.
    pub resolutions: ResolutionSchedule,
    /// The share of samples that get an empty prompt, so that guidance knows what a picture is
    /// without one ("Classifier-Free Diffusion Guidance", <https://arxiv.org/abs/2207.12598>).
    #[serde(default)]
    pub condition_dropout: f64,
    /// Weights of timesteps, and noise beside the usual.
    #[serde(default)]
    pub loss: DiffusionLossConfig,
}

/// Settings of [`ObjectiveConfig::Alignment`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlignmentConfig {
    /// Divides the cosines.
    pub temperature: f64,
}

impl Default for AlignmentConfig {
    fn default() -> Self {
        Self { temperature: 0.05 }
    }
}

impl ObjectiveConfig {
    /// Checks the ranges of all settings, and that the model has what it takes.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the first one that is out of range.
    pub fn validate(&self, assembly: Assembly) -> Result<(), TrainError> {
        let setting = |name, value: String, expected| {
            Err(TrainError::Setting {
                name,
                value,
                expected,
            })
        };
        let fits = match self {
            Self::Captions | Self::Instructions => assembly == Assembly::Chat,
            Self::Diffusion(_) => assembly == Assembly::Paint,
            Self::Alignment(_) => true,
        };
        if !fits {
            let expected = "`captions`, `instructions` or `alignment` for a chat model, \
                            `diffusion` or `alignment` for a paint model";
            return setting("objective.kind", format!("{self:?}"), expected);
        }
        match self {
            Self::Diffusion(config) if !(0.0..1.0).contains(&config.condition_dropout) => {
                let value = config.condition_dropout.to_string();
                let expected = "at least 0 and below 1";
                setting("objective.condition_dropout", value, expected)
            }
            Self::Alignment(config)
                if !(config.temperature.is_finite() && config.temperature > 0.0) =>
            {
                let value = config.temperature.to_string();
                setting("objective.temperature", value, "finite and positive")
            }
            _ => Ok(()),
        }
    }
}
