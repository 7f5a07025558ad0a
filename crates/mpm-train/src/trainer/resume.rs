//! Checkpoints of a run: writing them, and going on from them.

use burn::tensor::backend::AutodiffBackend;
use mpm_core::weights::{self, KeyMap, LoadOptions, Precision, WeightFile};
use serde::Serialize;
use serde_json::Value;

use super::Trainer;
use crate::checkpoint::{Checkpoint, CheckpointState, average_file, model_file, optimizer_file};
use crate::difference::differences;
use crate::optimizer::ParameterIds;
use crate::pattern::parameters;
use crate::precision::compute_copy;
use crate::{DataSource, Objective, TrainError, peers};

/// Settings without influence on the parameters: they may change on the way.
const NEUTRAL_SETTINGS: [&str; 2] = ["checkpoint_every", "workers"];

impl<B: AutodiffBackend, O: Objective<B>> Trainer<B, O> {
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
        let result = self.go_to_newest(source);
        if let (Err(error), Some(peers)) = (&result, &self.peers) {
            peers::report_failure(&**peers, error, &self.device);
        }
        result
    }

    fn go_to_newest<S>(&mut self, source: &mut S) -> Result<Option<usize>, TrainError>
    where
        S: DataSource<Batch = O::Batch>,
    {
        let store = self.checkpoints.as_ref().ok_or(TrainError::NoCheckpoints)?;
        let Some(checkpoint) = store.newest()? else {
            return Ok(None);
        };
        self.require_same_run(&checkpoint)?;
        let load = |model: O::Model, file| {
            let file = WeightFile::open(file)?;
            let options = LoadOptions::default();
            weights::load_where(model, &file, &options, |path| !self.left_out.contains(path))
        };
        let average = self.average.take();
        self.average = average
            .map(|average| load(average, checkpoint.average_file()))
            .transpose()?;
        self.model = load(self.model.clone(), checkpoint.model_file())?;
        let state = &checkpoint.manifest.state;
        self.optimizer.load(
            &checkpoint.optimizer_file(),
            &state.trainable,
            &self.model,
            &self.device,
        )?;
        let not_json = || TrainError::json(&checkpoint.folder);
        self.state = serde_json::from_value(state.trainer.clone()).map_err(not_json())?;
        let position = state.positions[self.rank()].clone();
        let position = serde_json::from_value(position).map_err(not_json())?;
        source.seek(&position).map_err(TrainError::Data)?;
        self.step = state.step;
        Ok(Some(self.step))
    }

    /// The number of this worker.
    fn rank(&self) -> usize {
        self.peers.as_ref().map_or(0, |peers| peers.rank())
    }

    /// The positions of all workers' data.
    fn positions<S: DataSource>(&self, source: &S) -> Result<Vec<Value>, TrainError> {
        let own = to_json("position", &source.position())?;
        let Some(peers) = &self.peers else {
            return Ok(vec![own]);
        };
        let all = peers::gather(&**peers, &own.to_string(), &self.device)?;
        let parse = |text: String| serde_json::from_str(&text);
        let all: Result<_, _> = all.into_iter().map(parse).collect();
        all.map_err(TrainError::json("position".as_ref()))
    }

    /// Writes a checkpoint, if this step has none. The model is measured before, which may take
    /// long, unless the run is `cancelled`.
    pub(super) fn write_checkpoint<S: DataSource>(
        &mut self,
        source: &S,
        cancelled: bool,
    ) -> Result<(), TrainError> {
        let Some(store) = self.checkpoints.clone() else {
            return Ok(());
        };
        let positions = self.positions(source)?;
        if self.rank() > 0 {
            return Ok(());
        }
        let newest = store.newest()?;
        if newest.is_some_and(|newest| newest.manifest.state.step == self.step) {
            return Ok(());
        }
        let measured = match cancelled {
            true => Ok(None),
            false => self.evaluate(),
        };
        // What has been learnt is not lost when it cannot be measured.
        let (score, failure) = match measured {
            Ok(score) => (score, None),
            Err(error) => (None, Some(error)),
        };
        let state = CheckpointState {
            step: self.step,
            score,
            recipe: to_json("recipe", &self.recipe)?,
            settings: to_json("settings", &self.config)?,
            trainer: to_json("trainer", &self.state)?,
            positions,
            trainable: trainable_ids::<B, _>(&self.model),
            left_out: self.left_out.checksums.clone(),
        };
        store.write(state, |folder| {
            let save = |model: &O::Model, file| {
                let keys = KeyMap::default();
                let stays = |path: &str| !self.left_out.contains(path);
                weights::save_where(model, file, &keys, Precision::AsStored, stays)
            };
            save(&self.model, model_file(folder))?;
            if let Some(average) = &self.average {
                save(average, average_file(folder))?;
            }
            self.optimizer.save(&optimizer_file(folder))
        })?;
        failure.map_or(Ok(()), Err)
    }

    /// The score of the model, of its average where one is kept.
    fn evaluate(&mut self) -> Result<Option<f64>, TrainError> {
        let Some(evaluator) = &mut self.evaluator else {
            return Ok(None);
        };
        let model = self.average.as_ref().unwrap_or(&self.model);
        let step = self.step;
        let score = match self.config.precision.half() {
            Some(half) => evaluator.evaluate(step, &compute_copy::<B, _>(model, half)),
            None => evaluator.evaluate(step, model),
        };
        let score = score.map_err(|source| TrainError::Evaluation { step, source })?;
        tracing::info!(step, score, "evaluated");
        Ok(Some(score))
    }

    pub(super) fn require_own_folder(&self) -> Result<(), TrainError> {
        let Some(store) = &self.checkpoints else {
            return Ok(());
        };
        match store.newest()? {
            Some(newest) if newest.manifest.state.step != self.step => {
                Err(TrainError::FolderInUse {
                    step: newest.manifest.state.step,
                    folder: newest.folder,
                })
            }
            _ => Ok(()),
        }
    }

    fn require_same_run(&self, checkpoint: &Checkpoint) -> Result<(), TrainError> {
        let state = &checkpoint.manifest.state;
        let is_neutral = |path: &str| NEUTRAL_SETTINGS.contains(&path);
        let settings = to_json("settings", &self.config)?;
        let mut difference = differences(&state.settings, &settings, is_neutral);
        let recipe = to_json("recipe", &self.recipe)?;
        difference.extend(differences(&state.recipe, &recipe, |_| false));
        if !difference.is_empty() {
            return Err(TrainError::OtherSettings {
                folder: checkpoint.folder.clone(),
                difference: difference.join(", "),
            });
        }
        let mismatch = |reason: String| {
            Err(TrainError::CheckpointMismatch {
                folder: checkpoint.folder.clone(),
                reason,
            })
        };
        let workers = self.peers.as_ref().map_or(1, |peers| peers.count());
        if state.positions.len() != workers {
            return mismatch(format!(
                "{} workers wrote it, and {workers} cannot share its data alike",
                state.positions.len()
            ));
        }
        let trainable = trainable_ids::<B, _>(&self.model);
        if !trainable.keys().eq(state.trainable.keys()) {
            return mismatch("other parameters are trainable".to_owned());
        }
        let own = &self.left_out.checksums;
        match own
            .iter()
            .find(|(path, sum)| state.left_out.get(*path) != Some(sum))
        {
            Some((path, _)) => mismatch(format!(
                "the frozen parameter `{path}` is another one than the run began with"
            )),
            None => Ok(()),
        }
    }
}

/// The ids of a model's trainable parameters by path.
fn trainable_ids<B, M>(model: &M) -> ParameterIds
where
    B: AutodiffBackend,
    M: burn::module::AutodiffModule<B>,
{
    parameters::<B, M>(model)
        .into_iter()
        .filter(|parameter| parameter.trainable)
        .map(|parameter| (parameter.path, parameter.id.serialize()))
        .collect()
}

/// A value as the manifest has it, where numbers keep their last bit (`float_roundtrip`).
fn to_json(what: &'static str, value: &impl Serialize) -> Result<Value, TrainError> {
    serde_json::to_value(value).map_err(TrainError::json(what.as_ref()))
}
