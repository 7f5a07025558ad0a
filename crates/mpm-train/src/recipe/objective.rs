//! What is minimised.

use std::path::PathBuf;

use mpm_llm::template::TextTemplate;
use serde::{Deserialize, Serialize};

use super::Assembly;
use crate::TrainError;
use crate::alignment::{ContrastiveConfig, Pooling};
use crate::diffusion::{DiffusionLossConfig, ResolutionSchedule};

/// What is minimised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ObjectiveConfig {
    /// The language-model loss on captions: paper, section 3.3, the first stage.
    Captions {},
    /// The language-model loss on the responses of conversations: paper, section 3.3, the
    /// second stage.
    Instructions {},
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlignmentConfig {
    /// Files of parallel sentences, see [`mpm_data::parallel`].
    pub files: Vec<PathBuf>,
    /// The two languages.
    pub languages: [String; 2],
    /// What stands around a sentence, for the language model's family; by default
    /// [that of the family](TextTemplate::default_of).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<TextTemplate>,
    /// Which states stand for it.
    #[serde(default)]
    pub pooling: Pooling,
    /// How translations are told from other sentences.
    #[serde(default)]
    pub loss: ContrastiveConfig,
}

impl ObjectiveConfig {
    /// Whether it learns from the examples of data sets.
    pub fn needs_examples(&self) -> bool {
        !matches!(self, Self::Alignment(_))
    }

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
            Self::Captions {} | Self::Instructions {} | Self::Alignment(_) => {
                assembly == Assembly::Chat
            }
            Self::Diffusion(_) => assembly == Assembly::Paint,
        };
        if !fits {
            let expected = "`captions`, `instructions` or `alignment` for a chat model, \
                            `diffusion` for a paint model";
            return setting("objective.kind", format!("{self:?}"), expected);
        }
        match self {
            Self::Diffusion(config) if !(0.0..1.0).contains(&config.condition_dropout) => {
                let value = config.condition_dropout.to_string();
                let expected = "at least 0 and below 1";
                setting("objective.condition_dropout", value, expected)
            }
            Self::Alignment(config) => {
                if let Some(prompt) = &config.prompt {
                    config.pooling.check(prompt)?;
                }
                config.loss.validate()
            }
            _ => Ok(()),
        }
    }
}
