//! One of Burn's optimizers for each group of parameters.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use burn::module::{AutodiffModule, ModuleVisitor, Param, ParamId};
use burn::optim::adaptor::OptimizerAdaptor;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::{Adam, AdamConfig, AdamW, AdamWConfig, GradientsParams};
use burn::optim::{Optimizer, SimpleOptimizer};
use burn::record::{FullPrecisionSettings, NamedMpkFileRecorder, Recorder};
use burn::tensor::{Tensor, backend::AutodiffBackend};

use super::{Algorithm, OptimizerConfig};
use crate::TrainError;
use crate::pattern::{ParameterInfo, PathPattern, parameters, require_matches};

/// The ids that parameters have in this process, by path: the names of their moments in a file.
pub(crate) type ParameterIds = BTreeMap<String, String>;

/// Updates parameters by their gradients.
///
/// Burn's optimizers apply one setting to all parameters that have a gradient, so a group is
/// an optimizer that sees only its own gradients.
pub(crate) trait GroupedOptimizer<B: AutodiffBackend, M: AutodiffModule<B>>: Send {
    /// Updates the parameters that have a gradient.
    fn step(&mut self, learning_rate: f64, model: M, gradients: GradientsParams) -> M;

    /// Writes the moments of all parameters to a file, in MessagePack.
    ///
    /// # Errors
    /// [`TrainError::Record`] when it cannot be written.
    fn save(&self, file: &Path) -> Result<(), TrainError>;

    /// Reads the moments of a file.
    ///
    /// `saved_ids` are the ids that the parameters had when the file was written, by path:
    /// Burn draws new ids in each process, only paths are stable.
    ///
    /// # Errors
    /// [`TrainError::Record`] when it cannot be read.
    fn load(
        &mut self,
        file: &Path,
        saved_ids: &BTreeMap<String, String>,
        model: &M,
        device: &B::Device,
    ) -> Result<(), TrainError>;
}

/// The optimizer of a configuration, with the parameters of a model sorted into groups.
///
/// # Errors
/// [`TrainError::Setting`] for a setting out of range and [`TrainError::PatternUnused`] for a
/// pattern without a match.
pub(crate) fn optimizer<B, M>(
    config: &OptimizerConfig,
    model: &M,
) -> Result<Box<dyn GroupedOptimizer<B, M>>, TrainError>
where
    B: AutodiffBackend,
    M: AutodiffModule<B> + 'static,
{
    config.validate()?;
    let (settings, members) = sort(config, &parameters::<B, M>(model))?;
    Ok(match config.algorithm {
        Algorithm::Adam => Box::new(Groups::<Adam, M, B>::new(&settings, members, |decay| {
            AdamConfig::new()
                .with_beta_1(config.beta_1)
                .with_beta_2(config.beta_2)
                .with_epsilon(config.epsilon)
                .with_weight_decay((decay > 0.0).then(|| WeightDecayConfig::new(decay)))
                .init()
        })),
        Algorithm::AdamW => Box::new(Groups::<AdamW, M, B>::new(&settings, members, |decay| {
            AdamWConfig::new()
                .with_beta_1(config.beta_1)
                .with_beta_2(config.beta_2)
                .with_epsilon(config.epsilon)
                .with_weight_decay(decay)
                .init()
        })),
    })
}

/// What the parameters of a group have in common.
#[derive(Debug, Clone, Copy, PartialEq)]
struct GroupSettings {
    learning_rate_factor: f64,
    weight_decay: f32,
}

/// The groups that occur, and in which one each parameter is.
fn sort(
    config: &OptimizerConfig,
    parameters: &[ParameterInfo],
) -> Result<(Vec<GroupSettings>, HashMap<ParamId, usize>), TrainError> {
    let patterns = |texts: &[String]| -> Result<Vec<PathPattern>, TrainError> {
        let patterns: Vec<_> = texts.iter().map(PathPattern::new).collect();
        require_matches(&patterns, parameters)?;
        Ok(patterns)
    };
    let no_decay = patterns(&config.no_decay)?;
    let groups = config.groups.iter();
    let groups = groups
        .map(|group| Ok((patterns(&group.parameters)?, group)))
        .collect::<Result<Vec<_>, TrainError>>()?;
    let matches =
        |patterns: &[PathPattern], path: &str| patterns.iter().any(|pattern| pattern.matches(path));

    let mut settings: Vec<GroupSettings> = Vec::new();
    let mut members = HashMap::new();
    for parameter in parameters {
        let path = &parameter.path;
        let group = groups.iter().find(|(patterns, _)| matches(patterns, path));
        let group = group.map(|(_, group)| group);
        let decays = parameter.shape.len() > 1 && !matches(&no_decay, path);
        let decay = group.and_then(|group| group.weight_decay);
        let own = GroupSettings {
            learning_rate_factor: group.map_or(1.0, |group| group.learning_rate_factor),
            weight_decay: match decays {
                true => decay.unwrap_or(config.weight_decay),
                false => 0.0,
            },
        };
        let known = settings.iter().position(|known| *known == own);
        let index = known.unwrap_or_else(|| {
            settings.push(own);
            settings.len() - 1
        });
        members.insert(parameter.id, index);
    }
    Ok((settings, members))
}

struct Groups<O, M, B>
where
    O: SimpleOptimizer<B::InnerBackend>,
    M: AutodiffModule<B>,
    B: AutodiffBackend,
{
    groups: Vec<(f64, OptimizerAdaptor<O, M, B>)>,
    members: HashMap<ParamId, usize>,
}

impl<O, M, B> Groups<O, M, B>
where
    O: SimpleOptimizer<B::InnerBackend>,
    M: AutodiffModule<B>,
    B: AutodiffBackend,
{
    fn new(
        settings: &[GroupSettings],
        members: HashMap<ParamId, usize>,
        init: impl Fn(f32) -> OptimizerAdaptor<O, M, B>,
    ) -> Self {
        let group = |settings: &GroupSettings| {
            let optimizer = init(settings.weight_decay);
            (settings.learning_rate_factor, optimizer)
        };
        Self {
            groups: settings.iter().map(group).collect(),
            members,
        }
    }
}

impl<O, M, B> GroupedOptimizer<B, M> for Groups<O, M, B>
where
    O: SimpleOptimizer<B::InnerBackend>,
    M: AutodiffModule<B>,
    B: AutodiffBackend,
{
    fn step(&mut self, learning_rate: f64, model: M, gradients: GradientsParams) -> M {
        let mut split = Split {
            members: &self.members,
            all: gradients,
            groups: self.groups.iter().map(|_| GradientsParams::new()).collect(),
        };
        model.visit(&mut split);
        let mut model = model;
        for ((factor, optimizer), gradients) in self.groups.iter_mut().zip(split.groups) {
            model = optimizer.step(learning_rate * *factor, model, gradients);
        }
        model
    }

    fn save(&self, file: &Path) -> Result<(), TrainError> {
        let mut states = HashMap::new();
        for (_, optimizer) in &self.groups {
            states.extend(optimizer.to_record());
        }
        let states: Record<O, M, B> = states.into_iter().collect();
        recorder()
            .record(states, file.to_owned())
            .map_err(record_error(file))
    }

    fn load(
        &mut self,
        file: &Path,
        saved_ids: &ParameterIds,
        model: &M,
        device: &B::Device,
    ) -> Result<(), TrainError> {
        let states: Record<O, M, B> = recorder()
            .load(file.to_owned(), device)
            .map_err(record_error(file))?;
        let ids: HashMap<String, ParamId> = parameters::<B, M>(model)
            .into_iter()
            .filter_map(|parameter| Some((saved_ids.get(&parameter.path)?.clone(), parameter.id)))
            .collect();
        let mut records: Vec<Record<O, M, B>> = self
            .groups
            .iter()
            .map(|_| Record::<O, M, B>::new())
            .collect();
        for (id, state) in states {
            if let Some(&id) = ids.get(&id.serialize())
                && let Some(&group) = self.members.get(&id)
            {
                records[group].insert(id, state);
            }
        }
        for ((_, optimizer), record) in self.groups.iter_mut().zip(records) {
            *optimizer = optimizer.clone().load_record(record);
        }
        Ok(())
    }
}

type Record<O, M, B> = <OptimizerAdaptor<O, M, B> as Optimizer<M, B>>::Record;

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

/// Hands each group its gradients.
struct Split<'a> {
    members: &'a HashMap<ParamId, usize>,
    all: GradientsParams,
    groups: Vec<GradientsParams>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Split<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some(&group) = self.members.get(&param.id)
            && let Some(gradient) = self.all.remove::<B::InnerBackend, D>(param.id)
        {
            self.groups[group].register(param.id, gradient);
        }
    }
}
