//! AdamW in two parameter groups: with and without weight decay.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use burn::module::{AutodiffModule, ModuleVisitor, Param, ParamId};
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::{AdamW, AdamWConfig, GradientsParams, Optimizer};
use burn::record::{FullPrecisionSettings, NamedMpkFileRecorder, Recorder};
use burn::tensor::{Tensor, backend::AutodiffBackend};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::pattern::{PathPattern, parameters, require_matches};

/// Settings of AdamW (Loshchilov and Hutter 2019) and of gradient clipping.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OptimizerConfig {
    /// Decay of the running mean of gradients, `0.0..1.0`.
    pub beta_1: f32,
    /// Decay of the running mean of squared gradients, `0.0..1.0`.
    pub beta_2: f32,
    /// Added to the root of the second moment, positive.
    pub epsilon: f32,
    /// Part of a parameter that is taken away per unit of learning rate.
    pub weight_decay: f32,
    /// Patterns of parameters without weight decay, e.g. embeddings and queries.
    /// Parameters of one dimension (norms, biases) never decay.
    pub no_decay: Vec<String>,
    /// Upper bound of the norm of all gradients together; `None` does not clip.
    pub clip_norm: Option<f64>,
}

impl Default for OptimizerConfig {
    fn default() -> Self {
        Self {
            beta_1: 0.9,
            beta_2: 0.98,
            epsilon: 1e-8,
            weight_decay: 0.01,
            no_decay: Vec::new(),
            clip_norm: Some(1.0),
        }
    }
}

impl OptimizerConfig {
    /// Checks the ranges of all settings.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the first one that is out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        let not_negative = |value: f32| value.is_finite() && value >= 0.0;
        let positive = |value: f64| value.is_finite() && value > 0.0;
        let clip = self.clip_norm.unwrap_or(1.0);
        let checks = [
            (
                "optimizer.beta_1",
                f64::from(self.beta_1),
                (0.0..1.0).contains(&self.beta_1),
                "at least 0 and below 1",
            ),
            (
                "optimizer.beta_2",
                f64::from(self.beta_2),
                (0.0..1.0).contains(&self.beta_2),
                "at least 0 and below 1",
            ),
            (
                "optimizer.epsilon",
                f64::from(self.epsilon),
                positive(f64::from(self.epsilon)),
                "finite and positive",
            ),
            (
                "optimizer.weight_decay",
                f64::from(self.weight_decay),
                not_negative(self.weight_decay),
                "finite and not negative",
            ),
            (
                "optimizer.clip_norm",
                clip,
                positive(clip),
                "finite and positive",
            ),
        ];
        match checks.into_iter().find(|(_, _, sound, _)| !sound) {
            None => Ok(()),
            Some((name, value, _, expected)) => Err(TrainError::Setting {
                name,
                value: value.to_string(),
                expected,
            }),
        }
    }

    fn adamw<B: AutodiffBackend, M: AutodiffModule<B>>(
        &self,
        weight_decay: f32,
    ) -> OptimizerAdaptor<AdamW, M, B> {
        AdamWConfig::new()
            .with_beta_1(self.beta_1)
            .with_beta_2(self.beta_2)
            .with_epsilon(self.epsilon)
            .with_weight_decay(weight_decay)
            .init()
    }
}

/// Burn's AdamW, once for the parameters that decay and once for the others.
///
/// Burn's optimizers apply one setting to all parameters that have a gradient,
/// so a group is an optimizer that sees only its own gradients.
pub struct GroupedAdamW<B: AutodiffBackend, M: AutodiffModule<B>> {
    decaying: OptimizerAdaptor<AdamW, M, B>,
    plain: OptimizerAdaptor<AdamW, M, B>,
    decaying_ids: HashSet<ParamId>,
}

type States<B, M> = <OptimizerAdaptor<AdamW, M, B> as Optimizer<M, B>>::Record;

impl<B: AutodiffBackend, M: AutodiffModule<B>> GroupedAdamW<B, M> {
    /// Sorts the parameters of a model into the groups.
    ///
    /// # Errors
    /// [`TrainError::Setting`] for a setting out of range and
    /// [`TrainError::PatternUnused`] for a `no_decay` pattern without a match.
    pub fn new(config: &OptimizerConfig, model: &M) -> Result<Self, TrainError> {
        config.validate()?;
        let parameters = parameters::<B, M>(model);
        let no_decay: Vec<_> = config.no_decay.iter().map(PathPattern::new).collect();
        require_matches(&no_decay, &parameters)?;
        let decaying_ids = parameters
            .iter()
            .filter(|parameter| parameter.shape.len() > 1)
            .filter(|parameter| !no_decay.iter().any(|rule| rule.matches(&parameter.path)))
            .map(|parameter| parameter.id)
            .collect();
        Ok(Self {
            decaying: config.adamw(config.weight_decay),
            plain: config.adamw(0.0),
            decaying_ids,
        })
    }

    /// Updates the parameters that have a gradient.
    pub fn step(&mut self, learning_rate: f64, model: M, gradients: GradientsParams) -> M {
        let mut split = Split {
            decaying_ids: &self.decaying_ids,
            all: gradients,
            decaying: GradientsParams::new(),
        };
        model.visit(&mut split);
        let Split { all, decaying, .. } = split;
        let model = self.decaying.step(learning_rate, model, decaying);
        self.plain.step(learning_rate, model, all)
    }

    /// Writes the moments of all parameters to a file, in MessagePack.
    pub(crate) fn save(&self, file: &Path) -> Result<(), TrainError> {
        let mut states = self.decaying.to_record();
        states.extend(self.plain.to_record());
        recorder()
            .record(states, file.to_owned())
            .map_err(record_error(file))
    }

    /// Reads the moments of a file.
    ///
    /// `saved_ids` are the ids that the parameters had when the file was written:
    /// Burn draws new ids in each process, only paths are stable.
    pub(crate) fn load(
        &mut self,
        file: &Path,
        saved_ids: &BTreeMap<String, String>,
        model: &M,
        device: &B::Device,
    ) -> Result<(), TrainError> {
        let states: States<B, M> = recorder()
            .load(file.to_owned(), device)
            .map_err(record_error(file))?;
        let ids: HashMap<String, ParamId> = parameters::<B, M>(model)
            .into_iter()
            .filter_map(|parameter| Some((saved_ids.get(&parameter.path)?.clone(), parameter.id)))
            .collect();
        let (decaying, plain) = states
            .into_iter()
            .filter_map(|(id, state)| Some((*ids.get(&id.serialize())?, state)))
            .partition(|(id, _)| self.decaying_ids.contains(id));
        self.decaying = self.decaying.clone().load_record(decaying);
        self.plain = self.plain.clone().load_record(plain);
        Ok(())
    }
}

/// The ids of a model's trainable parameters by path, for [`GroupedAdamW::load`].
pub(crate) fn trainable_ids<B, M>(model: &M) -> BTreeMap<String, String>
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
{
    parameters::<B, M>(model)
        .into_iter()
        .filter(|parameter| parameter.trainable)
        .map(|parameter| (parameter.path, parameter.id.serialize()))
        .collect()
}

fn recorder() -> NamedMpkFileRecorder<FullPrecisionSettings> {
    NamedMpkFileRecorder::new()
}

fn record_error(file: &Path) -> impl FnOnce(burn::record::RecorderError) -> TrainError {
    let file = file.to_owned();
    move |error| TrainError::Record {
        file,
        reason: error.to_string(),
    }
}

/// Moves the gradients of one group out of all gradients.
struct Split<'a> {
    decaying_ids: &'a HashSet<ParamId>,
    all: GradientsParams,
    decaying: GradientsParams,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Split<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if self.decaying_ids.contains(&param.id)
            && let Some(gradient) = self.all.remove::<B::InnerBackend, D>(param.id)
        {
            self.decaying.register(param.id, gradient);
        }
    }
}
