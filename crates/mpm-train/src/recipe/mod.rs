//! Recipes: everything that a run is made from, in one file.
//!
//! A recipe names the model and which of its parameters train, the data and their mixture, the
//! objective, the optimizer, the learning rate, the batch, the number of steps, the precision and
//! the evaluation. It is written in TOML or JSON. `recipes/` holds those of the paper
//! (<https://arxiv.org/abs/2308.12038>) and small ones; `docs/recipes.md` explains every field.
//!
//! ```
//! use mpm_train::recipe::Recipe;
//!
//! let recipe = Recipe::from_toml(r#"
//! version = 1
//! name = "a visual module for my language model"
//! steps = 1000
//! trainable = ["visual"]
//!
//! [model]
//! assembly = "chat"
//! folder = "models/my-model"
//!
//! [objective]
//! kind = "captions"
//!
//! [[data.mix]]
//! name = "english captions"
//! dataset = { format = "webdataset", files = ["captions/*.tar"], language = "en" }
//!
//! [schedule]
//! peak = 1e-5
//!
//! [batch]
//! samples = 64
//! micro = 8
//! "#)?;
//! assert_eq!(recipe.batch.accumulation(1)?.get(), 8);
//! # Ok::<(), mpm_train::TrainError>(())
//! ```

mod batch;
mod data;
mod model;
mod objective;
mod read;

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

pub use batch::BatchConfig;
pub use data::{AugmentationConfig, DataConfig, EvaluationConfig, MixMember};
pub use model::{Assembly, ModelConfig};
pub use objective::{AlignmentConfig, DiffusionConfig, ObjectiveConfig};

use crate::{
    Better, ComputePrecision, LoraTargets, LossScaling, OptimizerConfig, Schedule, SpikeLimit,
    TrainError, TrainerConfig,
};

/// The version of recipes that this crate reads.
pub const RECIPE_VERSION: u32 = 1;

/// Everything that a run is made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// [`RECIPE_VERSION`] when the recipe was written.
    pub version: u32,
    /// What is trained, for people.
    pub name: String,
    /// Decides the order of the data, their augmentation and new parameters.
    #[serde(default)]
    pub seed: u64,
    /// Updates of the parameters.
    pub steps: usize,
    /// The model that the run starts from.
    pub model: ModelConfig,
    /// Patterns of the parameters that train; all others are frozen.
    pub trainable: Vec<String>,
    /// Adapters of low rank beside frozen linear layers; `**.lora` is the pattern of what trains
    /// then. None without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lora: Option<LoraTargets>,
    /// Modules whose blocks are computed again for their gradients, which saves memory and costs
    /// a third of the time: `llm`, `visual`, `unet`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recompute: Vec<String>,
    /// What is minimised.
    pub objective: ObjectiveConfig,
    /// What is learnt from.
    #[serde(default)]
    pub data: DataConfig,
    /// The optimizer.
    #[serde(default)]
    pub optimizer: OptimizerConfig,
    /// The learning rate.
    pub schedule: Schedule,
    /// The size of a step.
    pub batch: BatchConfig,
    /// In which numbers is computed.
    #[serde(default)]
    pub precision: ComputePrecision,
    /// How the loss is scaled in f16.
    #[serde(default)]
    pub loss_scaling: LossScaling,
    /// When the run is taken for lost; never without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spike: Option<SpikeLimit>,
    /// The share of the parameters' running average that a step keeps; no average without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_decay: Option<f64>,
    /// When checkpoints are written, and which stay.
    #[serde(default)]
    pub checkpoints: CheckpointsConfig,
    /// What is measured before each checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluation: Option<EvaluationConfig>,
}

/// When checkpoints are written, and which stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CheckpointsConfig {
    /// Steps between two checkpoints.
    pub every: NonZeroUsize,
    /// How many of the newest stay. With an evaluation the best one stays, too.
    pub keep: NonZeroUsize,
}

impl Default for CheckpointsConfig {
    fn default() -> Self {
        const EVERY: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();
        const KEEP: NonZeroUsize = NonZeroUsize::new(2).unwrap();
        Self {
            every: EVERY,
            keep: KEEP,
        }
    }
}

/// The evaluation's score is a loss.
pub const BETTER: Better = Better::Lower;

impl Recipe {
    /// The trainer's settings for one of `workers` workers. Frozen parameters are left out of
    /// the checkpoints: they come with the model.
    ///
    /// # Errors
    /// [`TrainError::Setting`] when the batch cannot be shared among the workers.
    pub fn trainer(
        &self,
        workers: usize,
        frozen: Vec<String>,
    ) -> Result<TrainerConfig, TrainError> {
        Ok(TrainerConfig {
            accumulation: self.batch.accumulation(workers)?,
            workers: self.batch.threads,
            optimizer: self.optimizer.clone(),
            seed: self.seed,
            average_decay: self.average_decay,
            precision: self.precision,
            loss_scaling: self.loss_scaling,
            spike: self.spike,
            checkpoint_every: Some(self.checkpoints.every),
            leave_out: frozen,
            ..TrainerConfig::new(self.steps, self.schedule)
        })
    }

    /// Checks what can be known without model and data.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the first setting that is out of range,
    /// [`TrainError::RecipeVersion`] another version.
    pub fn validate(&self) -> Result<(), TrainError> {
        let setting = |name, value: String, expected| {
            Err(TrainError::Setting {
                name,
                value,
                expected,
            })
        };
        if self.steps == 0 {
            return setting("steps", "0".to_owned(), "at least 1");
        }
        if self.trainable.is_empty() {
            let expected = "a list of at least one pattern, such as \"visual\"";
            return setting("trainable", "empty".to_owned(), expected);
        }
        if let Some(lora) = &self.lora {
            lora.validate()?;
        }
        if self.objective.needs_examples() {
            data::check_mix(&self.data.mix)?;
        } else if self.evaluation.is_some() {
            let expected = "left out: alignment is measured by viscpm-align";
            return setting("evaluation", "given".to_owned(), expected);
        }
        if let Some(evaluation) = &self.evaluation {
            data::check_mix(&evaluation.mix)?;
        }
        self.objective.validate(self.model.assembly)?;
        self.trainer(1, Vec::new())?.validate()
    }
}
