//! The training loop.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use burn::module::Module;
use burn::tensor::backend::AutodiffBackend;
use mpm_core::weights::{self, KeyMap, LoadOptions, Precision, WeightFile};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::accumulate::{StepGradient, StepPlan, step_gradient};
use crate::checkpoint::{
    Checkpoint, CheckpointState, CheckpointStore, average_file, model_file, optimizer_file,
};
use crate::clock::Clock;
use crate::optimizer::{GroupedAdamW, trainable_ids};
use crate::report::{Callback, StepReport};
use crate::{DataSource, Objective, OptimizerConfig, Schedule, TrainError, average, gradient};

/// Settings of a [`Trainer`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerConfig {
    /// Number of steps (updates of the parameters) of the run.
    pub steps: usize,
    /// Number of batches whose gradients make one step.
    pub accumulation: NonZeroUsize,
    /// How many of these batches are computed at the same time, each on a thread of
    /// its own: on a CPU, small models leave cores idle otherwise. The parameters do
    /// not depend on it, unless the model draws random numbers (dropout).
    pub workers: NonZeroUsize,
    /// The learning rate.
    pub schedule: Schedule,
    /// AdamW and clipping.
    pub optimizer: OptimizerConfig,
    /// Seed of the backend's random numbers (dropout). The data source has a seed
    /// of its own.
    pub seed: u64,
    /// The share of the running average of the parameters that each step keeps, such as
    /// 0.999; `None` keeps no average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average_decay: Option<f64>,
    /// A checkpoint is written each time this many steps are done; `None` writes
    /// one at the end only.
    pub checkpoint_every: Option<NonZeroUsize>,
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
            checkpoint_every: None,
        }
    }
}

/// Why a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All steps are done.
    Finished,
    /// The data source ended before.
    DataEnded,
    /// A callback broke off.
    Cancelled,
}

/// The result of a run.
#[derive(Debug)]
pub struct Trained<M> {
    /// The model after the last step.
    pub model: M,
    /// The running average of the parameters, where one is kept.
    pub average: Option<M>,
    /// Number of steps done over all sessions.
    pub step: usize,
    /// Why the run ended.
    pub outcome: Outcome,
}

/// Minimises an [`Objective`] over the trainable parameters of a model.
pub struct Trainer<B: AutodiffBackend, O: Objective<B>> {
    config: TrainerConfig,
    objective: O,
    model: O::Model,
    average: Option<O::Model>,
    optimizer: GroupedAdamW<B, O::Model>,
    device: B::Device,
    checkpoints: Option<CheckpointStore>,
    callbacks: Vec<Box<dyn Callback<O::Model>>>,
    step: usize,
}

impl<B: AutodiffBackend, O: Objective<B>> Trainer<B, O> {
    /// A trainer for a model whose parameters are frozen or not as they shall be.
    ///
    /// # Errors
    /// [`TrainError::Setting`] or [`TrainError::PatternUnused`] for unsound settings,
    /// [`TrainError::NothingTrains`] when all parameters are frozen.
    pub fn new(config: TrainerConfig, objective: O, model: O::Model) -> Result<Self, TrainError> {
        config.schedule.validate()?;
        let optimizer = GroupedAdamW::new(&config.optimizer, &model)?;
        if trainable_ids::<B, _>(&model).is_empty() {
            return Err(TrainError::NothingTrains);
        }
        if let Some(decay) = config.average_decay
            && !(0.0..1.0).contains(&decay)
        {
            return Err(TrainError::Setting {
                name: "average_decay",
                value: decay.to_string(),
                expected: "at least 0 and below 1",
            });
        }
        let device = model.devices().into_iter().next().unwrap_or_default();
        Ok(Self {
            average: config.average_decay.map(|_| average::start(&model)),
            config,
            objective,
            model,
            optimizer,
            device,
            checkpoints: None,
            callbacks: Vec::new(),
            step: 0,
        })
    }

    /// Writes checkpoints to a folder.
    pub fn with_checkpoints(mut self, store: CheckpointStore) -> Self {
        self.checkpoints = Some(store);
        self
    }

    /// Adds a callback. Callbacks are called in the order in which they were added.
    pub fn with_callback(mut self, callback: impl Callback<O::Model> + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Goes to the newest complete checkpoint, if there is one: parameters,
    /// optimizer, step and the position of the data source. Returns the number of
    /// steps already done, `None` where the run starts from the beginning.
    ///
    /// The settings must be those of the checkpoint, but for `checkpoint_every` and
    /// `workers`.
    ///
    /// # Errors
    /// [`TrainError::NoCheckpoints`] without a folder; [`TrainError::OtherSettings`]
    /// or [`TrainError::CheckpointMismatch`] when the checkpoint is of another run,
    /// [`TrainError::Weights`] when its parameters are not the model's;
    /// [`TrainError::Data`] when the source cannot go to its position.
    pub fn resume<S>(&mut self, source: &mut S) -> Result<Option<usize>, TrainError>
    where
        S: DataSource<Batch = O::Batch>,
    {
        let store = self.checkpoints.as_ref().ok_or(TrainError::NoCheckpoints)?;
        let Some(checkpoint) = store.newest()? else {
            return Ok(None);
        };
        self.require_same_run(&checkpoint)?;
        let file = WeightFile::open(checkpoint.model_file())?;
        self.model = weights::load(self.model.clone(), &file, &LoadOptions::default())?;
        if let Some(average) = self.average.take() {
            let file = WeightFile::open(checkpoint.average_file())?;
            self.average = Some(weights::load(average, &file, &LoadOptions::default())?);
        }
        let manifest = &checkpoint.manifest;
        self.optimizer.load(
            &checkpoint.optimizer_file(),
            &manifest.trainable,
            &self.model,
            &self.device,
        )?;
        let position = serde_json::from_value(manifest.position.clone())
            .map_err(TrainError::json(&checkpoint.folder))?;
        source.seek(&position).map_err(TrainError::Data)?;
        self.step = manifest.step;
        Ok(Some(self.step))
    }

    /// Trains until the steps are done, the data end or a callback breaks off, and
    /// writes a checkpoint then.
    ///
    /// # Errors
    /// [`TrainError::FolderInUse`] when the folder of checkpoints holds a run that
    /// was not resumed; [`TrainError::NonFinite`] when the loss or the gradient is
    /// not a number, before it reaches the parameters; else the errors of the
    /// objective, the source, the callbacks and the file system. After an error the
    /// last checkpoint is intact.
    pub fn run<S>(mut self, source: &mut S) -> Result<Trained<O::Model>, TrainError>
    where
        S: DataSource<Batch = O::Batch>,
    {
        self.require_own_folder()?;
        for callback in &mut self.callbacks {
            callback
                .on_start(self.step)
                .map_err(|source| TrainError::Callback {
                    step: self.step,
                    source,
                })?;
        }
        let mut clock = Clock::start(self.step, self.config.steps);
        let mut outcome = Outcome::Finished;
        while self.step < self.config.steps {
            let step = self.step + 1;
            // A function of the step, so that a resumed run draws the same numbers.
            B::seed(&self.device, step_seed(self.config.seed, step));
            let plan = StepPlan {
                batches: self.config.accumulation.get(),
                workers: self.config.workers.get(),
                step,
            };
            let Some(mut gradient) = step_gradient(&self.objective, &self.model, source, plan)?
            else {
                outcome = Outcome::DataEnded;
                break;
            };
            let gradient_norm = self.clip(&mut gradient, step)?;
            let schedule = &self.config.schedule;
            let learning_rate = schedule.learning_rate(step, self.config.steps);
            let gradients = std::mem::take(&mut gradient.gradients);
            self.model = self.optimizer.step(learning_rate, self.model, gradients);
            if let (Some(average), Some(decay)) = (self.average.take(), self.config.average_decay) {
                self.average = Some(average::follow(average, &self.model, decay, step));
            }
            self.step = step;

            let report = clock.report(step, &gradient, learning_rate, gradient_norm);
            let flow = self.call_back(&report)?;
            if flow.is_break() {
                outcome = Outcome::Cancelled;
                break;
            }
            let every = self.config.checkpoint_every;
            if every.is_some_and(|every| step.is_multiple_of(every.get())) {
                self.write_checkpoint(source)?;
            }
        }
        self.write_checkpoint(source)?;
        Ok(Trained {
            model: self.model,
            average: self.average,
            step: self.step,
            outcome,
        })
    }

    /// Bounds the gradient's norm and returns what it was.
    fn clip(&self, gradient: &mut StepGradient, step: usize) -> Result<f64, TrainError> {
        let norm = gradient::global_norm::<B, _>(&self.model, &gradient.gradients);
        if !norm.is_finite() {
            return Err(TrainError::NonFinite {
                quantity: "gradient norm",
                value: norm,
                step,
            });
        }
        if let Some(limit) = self.config.optimizer.clip_norm
            && norm > limit
        {
            gradient::scale::<B, _>(&self.model, &mut gradient.gradients, limit / norm);
        }
        Ok(norm)
    }

    fn call_back(&mut self, report: &StepReport) -> Result<ControlFlow<()>, TrainError> {
        let mut flow = ControlFlow::Continue(());
        // All callbacks hear of the step, also when one breaks off.
        for callback in &mut self.callbacks {
            let answer = callback.on_step(report, &self.model);
            let answer = answer.map_err(|source| TrainError::Callback {
                step: report.step,
                source,
            })?;
            if answer.is_break() {
                flow = answer;
            }
        }
        Ok(flow)
    }

    fn write_checkpoint<S: DataSource>(&self, source: &S) -> Result<(), TrainError> {
        let Some(store) = &self.checkpoints else {
            return Ok(());
        };
        let state = CheckpointState {
            step: self.step,
            settings: to_json("settings", &self.config)?,
            position: to_json("position", &source.position())?,
            trainable: trainable_ids::<B, _>(&self.model),
        };
        store.write(state, |folder| {
            let file = model_file(folder);
            let keys = KeyMap::default();
            weights::save(&self.model, file, &keys, Precision::AsStored)?;
            if let Some(average) = &self.average {
                weights::save(average, average_file(folder), &keys, Precision::AsStored)?;
            }
            self.optimizer.save(&optimizer_file(folder))
        })?;
        Ok(())
    }

    fn require_own_folder(&self) -> Result<(), TrainError> {
        let Some(store) = &self.checkpoints else {
            return Ok(());
        };
        match store.newest()? {
            Some(newest) if newest.manifest.step != self.step => Err(TrainError::FolderInUse {
                step: newest.manifest.step,
                folder: newest.folder,
            }),
            _ => Ok(()),
        }
    }

    fn require_same_run(&self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        let manifest = &checkpoint.manifest;
        let difference = differing_keys(&manifest.settings, &to_json("settings", &self.config)?);
        if !difference.is_empty() {
            return Err(TrainError::OtherSettings {
                folder: checkpoint.folder.clone(),
                difference: difference.join(", "),
            });
        }
        let trainable = trainable_ids::<B, _>(&self.model);
        if !trainable.keys().eq(manifest.trainable.keys()) {
            return Err(TrainError::CheckpointMismatch {
                folder: checkpoint.folder.clone(),
                reason: "other parameters are trainable".to_owned(),
            });
        }
        Ok(())
    }
}

/// Settings without influence on the parameters: they may change on the way.
const NEUTRAL_SETTINGS: [&str; 2] = ["checkpoint_every", "workers"];

/// The names of the settings in which two runs differ, the neutral ones left out.
fn differing_keys(saved: &Value, own: &Value) -> Vec<String> {
    own.as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !NEUTRAL_SETTINGS.contains(&name.as_str()))
        .filter(|(name, value)| saved.get(name) != Some(value))
        .map(|(name, _)| name.clone())
        .collect()
}

/// A value as JSON reads it back: through text, because a number may lose its
/// last bit there and would then differ from itself after a resume.
fn to_json(what: &'static str, value: &impl Serialize) -> Result<Value, TrainError> {
    serde_json::to_string(value)
        .and_then(|text| serde_json::from_str(&text))
        .map_err(TrainError::json(what.as_ref()))
}

/// A seed for each step, spread by the finaliser of SplitMix64.
fn step_seed(seed: u64, step: usize) -> u64 {
    let mut mixed = seed.wrapping_add((step as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
