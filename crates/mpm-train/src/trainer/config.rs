//! Settings of the training loop.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::loss_scale::LossScaling;
use crate::precision::ComputePrecision;
use crate::spike::SpikeLimit;
use crate::{OptimizerConfig, Schedule, TrainError};

/// Settings of a [`Trainer`](super::Trainer).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerConfig {
    /// Number of steps (updates of the parameters) of the run.
    pub steps: usize,
    /// Number of batches whose gradients make one step.
    pub accumulation: NonZeroUsize,
    /// How many of these batches are computed at the same time, each by its share of
    /// the cores: on a CPU, small models leave cores idle otherwise. The parameters do
    /// not depend on it, unless the model draws random numbers (dropout).
    pub workers: NonZeroUsize,
    /// The learning rate.
    pub schedule: Schedule,
    /// Adam or AdamW, groups of parameters, and clipping.
    pub optimizer: OptimizerConfig,
    /// Seed of the backend's random numbers (dropout). The data source has a seed
    /// of its own.
    pub seed: u64,
    /// The share of the running average of the parameters that each step keeps, such as
    /// 0.999; `None` keeps no average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_decay: Option<f64>,
    /// In which numbers forward and backward passes are computed.
    #[serde(default)]
    pub precision: ComputePrecision,
    /// How the loss is scaled where these are f16.
    #[serde(default)]
    pub loss_scaling: LossScaling,
    /// When the run is taken for lost; `None` goes on whatever the loss does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spike: Option<SpikeLimit>,
    /// A checkpoint is written each time this many steps are done; `None` writes
    /// one at the end only.
    pub checkpoint_every: Option<NonZeroUsize>,
    /// Patterns of frozen parameters that checkpoints leave out, such as those of a large
    /// language model: they come with the model, whose file must be there for a resume. Only
    /// their checksums are stored.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub leave_out: Vec<String>,
}

impl TrainerConfig {
    /// Settings for a number of steps with a schedule: one batch a step, AdamW's
    /// defaults, a checkpoint at the end.
    pub fn new(steps: usize, schedule: Schedule) -> Self {
        Self {
            steps,
            accumulation: NonZeroUsize::MIN,
            workers: NonZeroUsize::MIN,
            schedule,
            optimizer: OptimizerConfig::default(),
            seed: 0,
            average_decay: None,
            precision: ComputePrecision::F32,
            loss_scaling: LossScaling::default(),
            spike: None,
            checkpoint_every: None,
            leave_out: Vec::new(),
        }
    }

    /// Checks the ranges of all settings.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the first one that is out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        self.schedule.validate()?;
        self.optimizer.validate()?;
        self.loss_scaling.validate()?;
        self.spike.as_ref().map_or(Ok(()), SpikeLimit::validate)?;
        match self.average_decay {
            Some(decay) if !(0.0..1.0).contains(&decay) => Err(TrainError::Setting {
                name: "average_decay",
                value: decay.to_string(),
                expected: "at least 0 and below 1",
            }),
            _ => Ok(()),
        }
    }
}
