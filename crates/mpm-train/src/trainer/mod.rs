//! The training loop.

mod config;
mod resume;

use std::ops::ControlFlow;
use std::sync::Arc;

use burn::module::Module;
use burn::tensor::backend::AutodiffBackend;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use config::TrainerConfig;

use crate::accumulate::{StepGradient, StepPlan, step_gradient};
use crate::checkpoint::CheckpointStore;
use crate::clock::{Clock, Update};
use crate::evaluator::Evaluator;
use crate::left_out::LeftOut;
use crate::loss_scale::LossScale;
use crate::optimizer::{self, GroupedOptimizer};
use crate::pattern::parameters;
use crate::peers::{self, Intent, Peers};
use crate::precision::{ComputePrecision, compute_copy, master};
use crate::report::{Callback, StepReport};
use crate::spike::LossMean;
use crate::workers::Workers;
use crate::{DataSource, Objective, TrainError, average, gradient};

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
    /// The model after the last step. Where it was computed in half precision, what trained is
    /// in f32.
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
    workers: Workers,
    objective: O,
    model: O::Model,
    average: Option<O::Model>,
    optimizer: Box<dyn GroupedOptimizer<B, O::Model>>,
    state: TrainerState,
    left_out: LeftOut,
    device: B::Device,
    recipe: Value,
    checkpoints: Option<CheckpointStore>,
    callbacks: Vec<Box<dyn Callback<O::Model>>>,
    evaluator: Option<Box<dyn Evaluator<O::Model>>>,
    peers: Option<Arc<dyn Peers<B::InnerBackend>>>,
    step: usize,
}

/// What steps leave behind beside parameters and moments.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TrainerState {
    /// The factor of the loss, in f16.
    loss_scale: Option<LossScale>,
    loss_mean: LossMean,
}

impl<B: AutodiffBackend, O: Objective<B>> Trainer<B, O> {
    /// A trainer for a model whose parameters are frozen or not as they shall be.
    ///
    /// # Errors
    /// [`TrainError::Setting`], [`TrainError::PatternUnused`] or
    /// [`TrainError::LeavesOutTrainable`] for unsound settings, [`TrainError::NothingTrains`]
    /// when all parameters are frozen, [`TrainError::Threads`] when the system gives no more.
    pub fn new(config: TrainerConfig, objective: O, model: O::Model) -> Result<Self, TrainError> {
        config.validate()?;
        let trains = parameters::<B, _>(&model).iter().any(|it| it.trainable);
        if !trains {
            return Err(TrainError::NothingTrains);
        }
        let device = model.devices().into_iter().next().unwrap_or_default();
        let model = match config.precision.half() {
            Some(half) => master(model, half),
            None => model,
        };
        let scaled = config.precision == ComputePrecision::F16;
        Ok(Self {
            optimizer: optimizer::optimizer(&config.optimizer, &model)?,
            average: config.average_decay.map(|_| average::start(&model)),
            state: TrainerState {
                loss_scale: scaled.then(|| LossScale::new(&config.loss_scaling)),
                loss_mean: LossMean::default(),
            },
            left_out: LeftOut::new(&config.leave_out, &model)?,
            workers: Workers::new(config.workers.min(config.accumulation).get())?,
            config,
            objective,
            model,
            device,
            recipe: Value::Null,
            checkpoints: None,
            callbacks: Vec::new(),
            evaluator: None,
            peers: None,
            step: 0,
        })
    }

    /// Writes checkpoints to a folder.
    pub fn with_checkpoints(mut self, store: CheckpointStore) -> Self {
        self.checkpoints = Some(store);
        self
    }

    /// Stores in each checkpoint what the run is made from, data and model; a run that is made
    /// from something else cannot be resumed from it.
    pub fn with_recipe(mut self, recipe: Value) -> Self {
        self.recipe = recipe;
        self
    }

    /// Adds a callback. Callbacks are called in the order in which they were added.
    pub fn with_callback(mut self, callback: impl Callback<O::Model> + 'static) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// Measures the model before each checkpoint; the score is stored with it. Only a run that a
    /// callback breaks off ends without: whoever stops it waits for the checkpoint.
    pub fn with_evaluator(mut self, evaluator: impl Evaluator<O::Model> + 'static) -> Self {
        self.evaluator = Some(Box::new(evaluator));
        self
    }

    /// Trains together with other workers, each with a part of the data and a device of its own.
    /// All must have the same settings and folder of checkpoints, which the first one writes;
    /// callbacks and evaluator are each worker's own.
    pub fn with_peers(mut self, peers: impl Peers<B::InnerBackend> + 'static) -> Self {
        self.peers = Some(Arc::new(peers));
        self
    }

    /// Trains until the steps are done, the data end or a callback breaks off, and
    /// writes a checkpoint then.
    ///
    /// # Errors
    /// [`TrainError::FolderInUse`] when the folder of checkpoints holds a run that
    /// was not resumed; [`TrainError::NonFinite`] when the loss or the gradient is
    /// not a number, and [`TrainError::LossSpike`] when the loss runs away, before they reach
    /// the parameters; else the errors of the objective, the source, the callbacks and the file
    /// system. After an error the last checkpoint is intact.
    pub fn run<S>(self, source: &mut S) -> Result<Trained<O::Model>, TrainError>
    where
        S: DataSource<Batch = O::Batch>,
    {
        let (peers, device) = (self.peers.clone(), self.device.clone());
        let result = self.train(source);
        if let (Err(error), Some(peers)) = (&result, peers) {
            peers::report_failure(&*peers, error, &device);
        }
        result
    }

    fn train<S>(mut self, source: &mut S) -> Result<Trained<O::Model>, TrainError>
    where
        S: DataSource<Batch = O::Batch>,
    {
        self.require_own_folder()?;
        if let Some(peers) = &self.peers {
            if peers::agree(&**peers, Intent::Step, &self.device)? == Intent::Fail {
                return Err(TrainError::PeerFailed);
            }
            self.model = peers::share_parameters::<B, _>(&**peers, self.model)?;
            if self.step == 0 && self.average.is_some() {
                self.average = Some(average::start(&self.model));
            }
        }
        for callback in &mut self.callbacks {
            callback
                .on_start(self.step)
                .map_err(|source| TrainError::Callback {
                    step: self.step,
                    source,
                })?;
        }
        let mut clock = Clock::start(self.step, self.config.steps);
        let half = self.config.precision.half();
        // What the passes compute with, where it is not the model itself.
        let mut computed = half.map(|half| compute_copy::<B, _>(&self.model, half));
        let mut cancelled = false;
        while self.step < self.config.steps {
            let model = computed.as_ref().unwrap_or(&self.model);
            let mut gradient = match self.gradient(model, source, cancelled)? {
                ControlFlow::Continue(gradient) => gradient,
                ControlFlow::Break(outcome) => {
                    self.write_checkpoint(source, outcome == Outcome::Cancelled)?;
                    return Ok(self.trained(outcome));
                }
            };
            let step = self.step + 1;
            let update;
            (self, update) = self.update(&mut gradient, step)?;
            if !update.skipped {
                computed = half.map(|half| compute_copy::<B, _>(&self.model, half));
            }
            self.step = step;

            let report = clock.report(step, &gradient, update);
            let model = computed.as_ref().unwrap_or(&self.model);
            cancelled = call_back(&mut self.callbacks, &report, model)?.is_break();
            let every = self.config.checkpoint_every;
            // Also where this worker is to stop, since the others do not know of it yet.
            if every.is_some_and(|every| step.is_multiple_of(every.get())) {
                self.write_checkpoint(source, cancelled)?;
            }
        }
        self.write_checkpoint(source, cancelled)?;
        Ok(self.trained(match cancelled {
            true => Outcome::Cancelled,
            false => Outcome::Finished,
        }))
    }

    fn trained(self, outcome: Outcome) -> Trained<O::Model> {
        Trained {
            model: self.model,
            average: self.average,
            step: self.step,
            outcome,
        }
    }

    /// The gradient of the next step, over all workers, or why there is none.
    fn gradient<S>(
        &self,
        model: &O::Model,
        source: &mut S,
        cancelled: bool,
    ) -> Result<ControlFlow<Outcome, StepGradient>, TrainError>
    where
        S: DataSource<Batch = O::Batch>,
    {
        let step = self.step + 1;
        // A function of the step, so that a resumed run draws the same numbers.
        B::seed(&self.device, step_seed(self.config.seed, step));
        let half = self.config.precision.half();
        let plan = StepPlan {
            batches: self.config.accumulation.get(),
            scale: half.map(|_| self.state.loss_scale.map_or(1.0, |scale| scale.factor)),
            step,
        };
        let place = source.position();
        let (own, intent) = match cancelled {
            true => (None, Intent::Cancel),
            false => match step_gradient(&self.objective, model, source, &self.workers, plan)? {
                None => (None, Intent::End),
                own => (own, Intent::Step),
            },
        };
        let intent = match &self.peers {
            Some(peers) => peers::agree(&**peers, intent, &self.device)?,
            None => intent,
        };
        if intent != Intent::Step && own.is_some() {
            // The others make no step: these batches will be needed again.
            source.seek(&place).map_err(TrainError::Data)?;
        }
        match (intent, own) {
            (Intent::Fail, _) => Err(TrainError::PeerFailed),
            (Intent::Cancel, _) => Ok(ControlFlow::Break(Outcome::Cancelled)),
            (Intent::Step, Some(mut own)) => {
                if let Some(peers) = &self.peers {
                    peers::share_gradient::<B, _>(&**peers, &self.model, &mut own, &self.device)?;
                }
                Ok(ControlFlow::Continue(own))
            }
            (Intent::End | Intent::Step, _) => Ok(ControlFlow::Break(Outcome::DataEnded)),
        }
    }

    /// Brings a gradient to the parameters, where it is sound.
    fn update(
        mut self,
        gradient: &mut StepGradient,
        step: usize,
    ) -> Result<(Self, Update), TrainError> {
        if let Some(limit) = &self.config.spike {
            let mean = &mut self.state.loss_mean;
            mean.add(gradient.loss, limit)
                .map_err(|mean| TrainError::LossSpike {
                    loss: gradient.loss,
                    mean,
                    step,
                })?;
        }
        let norm = gradient::global_norm::<B, _>(&self.model, &gradient.gradients);
        let mut update = Update {
            learning_rate: self.config.schedule.learning_rate(step, self.config.steps),
            gradient_norm: norm.is_finite().then_some(norm),
            loss_scale: self.state.loss_scale.map(|scale| scale.factor),
            skipped: false,
        };
        let scaling = &self.config.loss_scaling;
        match &mut self.state.loss_scale {
            Some(scale) if !norm.is_finite() => {
                if !scale.back_off(scaling) {
                    return Err(TrainError::Overflow {
                        scale: scale.factor,
                        step,
                    });
                }
                update.skipped = true;
                return Ok((self, update));
            }
            Some(scale) => scale.keep(scaling),
            None if !norm.is_finite() => {
                return Err(TrainError::NonFinite {
                    quantity: "gradient norm",
                    value: norm,
                    step,
                });
            }
            None => {}
        }
        let mut gradients = std::mem::take(&mut gradient.gradients);
        if let Some(limit) = self.config.optimizer.clip_norm
            && norm > limit
        {
            gradient::scale::<B, _>(&self.model, &mut gradients, limit / norm);
        }
        self.model = self
            .optimizer
            .step(update.learning_rate, self.model, gradients);
        if let (Some(average), Some(decay)) = (self.average.take(), self.config.average_decay) {
            self.average = Some(average::follow(average, &self.model, decay, step));
        }
        Ok((self, update))
    }
}

/// Tells all callbacks of a step, also when one breaks off.
fn call_back<M>(
    callbacks: &mut [Box<dyn Callback<M>>],
    report: &StepReport,
    model: &M,
) -> Result<ControlFlow<()>, TrainError> {
    let mut flow = ControlFlow::Continue(());
    for callback in callbacks {
        let answer = callback.on_step(report, model);
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

/// A seed for each step, spread by the finaliser of SplitMix64.
fn step_seed(seed: u64, step: usize) -> u64 {
    let mut mixed = seed.wrapping_add((step as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
