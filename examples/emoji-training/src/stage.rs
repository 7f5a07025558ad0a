//! One stage of a recipe.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    thread,
};

use mpm_train::{Decay, OptimizerConfig, Schedule, TrainerConfig};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::BoxError;

/// How long and how fast is trained.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// Updates of the parameters.
    pub steps: usize,
    /// Samples of one update.
    pub batch: usize,
    /// How many parts these are cut into, for cores to work on at the same time.
    pub parts: NonZeroUsize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Steps until it is reached.
    pub warmup: usize,
    /// Weight decay of everything that has two dimensions or more.
    pub weight_decay: f32,
    /// The share of the parameters' running average that a step keeps; no average without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_decay: Option<f64>,
}

/// Where and how a stage is run.
#[derive(Clone, Debug)]
pub struct StageRun<'a> {
    /// What is run.
    pub stage: &'a Stage,
    /// The folder of the stage: checkpoints, metrics, the list of parameters.
    pub folder: PathBuf,
    /// Decides what the backend draws.
    pub seed: u64,
    /// Steps between two checkpoints.
    pub checkpoint_every: NonZeroUsize,
}

impl Stage {
    /// Checks the stage that the recipe calls `name`.
    ///
    /// # Errors
    /// When there are fewer samples than parts.
    pub fn validate(&self, name: &str) -> Result<(), BoxError> {
        if self.batch >= self.parts.get() {
            return Ok(());
        }
        Err(format!(
            "recipe: `{name}.batch` is {}, too few to be cut into {} parts (`{name}.parts`)",
            self.batch, self.parts
        )
        .into())
    }

    /// Samples of one part: rounded up, where the parts cannot be of one size.
    pub fn part(&self) -> usize {
        self.batch.div_ceil(self.parts.get())
    }

    /// The trainer's settings: AdamW as in VisCPM's fine-tuning script (betas 0.9 and 0.98),
    /// warm-up, then a cosine.
    pub fn trainer(&self, seed: u64) -> TrainerConfig {
        let schedule = Schedule {
            peak: self.learning_rate,
            warmup_steps: self.warmup,
            decay: Decay::Cosine { floor: 0.02 },
        };
        TrainerConfig {
            accumulation: self.parts,
            workers: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            optimizer: OptimizerConfig {
                weight_decay: self.weight_decay,
                ..OptimizerConfig::default()
            },
            seed,
            average_decay: self.average_decay,
            ..TrainerConfig::new(self.steps, schedule)
        }
    }
}

/// Reads a recipe; without a file it is the shipped one.
///
/// # Errors
/// When the file cannot be read or is no recipe.
pub fn read_recipe<T: DeserializeOwned>(file: Option<&Path>, shipped: &str) -> Result<T, BoxError> {
    let Some(file) = file else {
        return Ok(serde_json::from_str(shipped)?);
    };
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| named(&error))?;
    Ok(serde_json::from_str(&text).map_err(|error| named(&error))?)
}
