//! What is trained, how long and on what.

use std::path::Path;

use mpm_data::emoji::{Language, TaskOptions};
use mpm_train::{Decay, OptimizerConfig, Schedule, TrainerConfig};
use serde::{Deserialize, Serialize};
use viscpm_chat::VisCpmChatConfig;

use crate::{BoxError, stages::StageName};

/// The recipe of the model that ships with the repository.
const SHIPPED: &str = include_str!("../recipe.json");

/// All settings of the three stages.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Decides weights, samples and augmentation.
    pub seed: u64,
    /// How many things the language model learns to name.
    pub names: usize,
    /// How many of them the visual module sees pictures of.
    pub pictured_names: usize,
    /// Tokens of the vocabulary that is built from the texts.
    pub vocabulary_size: usize,
    /// Sizes of both parts; `llm.vocab_size` follows the vocabulary.
    pub model: VisCpmChatConfig,
    /// Text only, bilingual: the language model.
    pub language: Stage,
    /// Pictures with English questions and answers; the language model is frozen.
    pub vision: Stage,
    /// Questions about pictures; everything trains.
    pub instruction: Stage,
    /// How many of the instructions are there in Chinese, too.
    pub translated_pairs: u64,
    /// The share of the translated pairs among the samples of the last stage.
    pub translated_share: f64,
}

/// One stage of training.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Updates of the parameters.
    pub steps: usize,
    /// Samples of one update.
    pub batch: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Steps until it is reached.
    pub warmup: usize,
    /// Weight decay of everything that has two dimensions or more.
    pub weight_decay: f32,
}

impl Recipe {
    /// Reads a recipe; without a file it is the shipped one.
    pub fn read(file: Option<&Path>) -> Result<Self, BoxError> {
        let text = match file {
            Some(file) => std::fs::read_to_string(file)
                .map_err(|error| format!("{}: {error}", file.display()))?,
            None => SHIPPED.to_string(),
        };
        Ok(serde_json::from_str(&text)?)
    }

    /// What the samples of a stage are drawn from.
    pub fn tasks(&self, stage: StageName) -> TaskOptions {
        TaskOptions {
            names: match stage {
                StageName::Language => self.names,
                StageName::Vision | StageName::Instruction => self.pictured_names,
            },
            description_languages: vec![Language::English, Language::Chinese],
            ..TaskOptions::default()
        }
    }
}

impl Stage {
    /// The trainer's settings: AdamW as in VisCPM's fine-tuning script (betas 0.9
    /// and 0.98), warm-up, then a cosine.
    pub fn trainer(&self, seed: u64) -> TrainerConfig {
        let schedule = Schedule {
            peak: self.learning_rate,
            warmup_steps: self.warmup,
            decay: Decay::Cosine { floor: 0.02 },
        };
        TrainerConfig {
            optimizer: OptimizerConfig {
                weight_decay: self.weight_decay,
                ..OptimizerConfig::default()
            },
            seed,
            ..TrainerConfig::new(self.steps, schedule)
        }
    }
}
