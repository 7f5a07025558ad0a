//! What is trained, how long and on what.

use std::{num::NonZeroUsize, path::Path, thread};

use mpm_data::emoji::{Language, TaskOptions};
use mpm_train::{Decay, OptimizerConfig, Schedule, TrainerConfig};
use serde::{Deserialize, Serialize};
use viscpm_chat::VisCpmChatConfig;

use crate::BoxError;

/// The recipe of the model that ships with the repository.
const SHIPPED: &str = include_str!("../recipe.json");

/// All settings of the stages.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Decides weights, samples and augmentation.
    pub seed: u64,
    /// How many things the model learns to name. About one in twenty is known from
    /// text alone, see docs/emoji-set.md.
    pub names: usize,
    /// The share of descriptions that the language model reads as imagined pictures.
    pub imagined_share: f64,
    /// Tokens of the vocabulary that is built from the texts.
    pub vocabulary_size: usize,
    /// Sizes of both parts; `llm.vocab_size` follows the vocabulary.
    pub model: VisCpmChatConfig,
    /// Text only, bilingual: the language model.
    pub language: Stage,
    /// Pictures with English names: the visual module's features become the language
    /// model's embeddings of the names.
    pub alignment: Stage,
    /// Pictures with English captions; the language model is frozen.
    pub vision: Stage,
    /// Questions about pictures; everything trains.
    pub instruction: Stage,
    /// The weight that the alignment's loss keeps beside that of the answers.
    pub anchor: f64,
    /// How many of the instructions are there in Chinese, too.
    pub translated_pairs: u64,
    /// The share of the translated pairs among the samples of the last stage.
    pub translated_share: f64,
    /// The share of bilingual text among the samples of the last stage.
    pub text_share: f64,
    /// The share of samples of the last stage that follow an earlier question.
    pub context_share: f64,
}

/// One stage of training.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Updates of the parameters.
    pub steps: usize,
    /// Samples of one update.
    pub batch: usize,
    /// How many parts these are cut into, for cores to work on at the same time; rows of
    /// similar length come together.
    pub parts: NonZeroUsize,
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
        let recipe: Self = serde_json::from_str(&text)?;
        let stages = [
            ("language", &recipe.language),
            ("alignment", &recipe.alignment),
            ("vision", &recipe.vision),
            ("instruction", &recipe.instruction),
        ];
        for (name, stage) in stages {
            if stage.batch < stage.parts.get() {
                return Err(format!(
                    "recipe: `{name}.batch` is {}, too few to be cut into {} parts \
                     (`{name}.parts`)",
                    stage.batch, stage.parts
                )
                .into());
            }
        }
        Ok(recipe)
    }

    /// What samples are drawn from.
    pub fn tasks(&self) -> TaskOptions {
        TaskOptions {
            names: self.names,
            description_languages: vec![Language::English, Language::Chinese],
            ..TaskOptions::default()
        }
    }

    /// The trainer's settings for a stage: AdamW as in VisCPM's fine-tuning script
    /// (betas 0.9 and 0.98), warm-up, then a cosine.
    pub fn trainer(&self, stage: &Stage) -> TrainerConfig {
        let schedule = Schedule {
            peak: stage.learning_rate,
            warmup_steps: stage.warmup,
            decay: Decay::Cosine { floor: 0.02 },
        };
        TrainerConfig {
            accumulation: stage.parts,
            workers: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            optimizer: OptimizerConfig {
                weight_decay: stage.weight_decay,
                ..OptimizerConfig::default()
            },
            seed: self.seed,
            ..TrainerConfig::new(stage.steps, schedule)
        }
    }
}
