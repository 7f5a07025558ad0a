//! Running a recipe.

use std::{
    marker::PhantomData,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use burn::backend::Autodiff;
use mpm_core::{MpmBackend, atomic, backend::BackendTask, lora};
use mpm_train::{
    BoxError, CheckpointStore, DataSource, Outcome, Prefetch, Trainer,
    distributed::CollectivePeer,
    freeze::ParameterTable,
    metrics::{MetricsWriter, TensorBoardWriter},
    recipe::{BETTER, ObjectiveConfig, Recipe},
};
use serde_json::Value;
use viscpm_common::cli::{Interrupt, note};

use crate::{
    DryRun, RunError, Stage,
    alignment::AlignmentStage,
    chat::ChatStage,
    evaluation::LossEvaluator,
    paint::PaintStage,
    progress::Progress,
    ready::{Evaluation, Ready},
    workers::run_workers,
};

/// Batches that are prepared while the model computes.
const PREFETCHED: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// Fields of a recipe, and the tables that they are in, on which no parameter depends.
const NEUTRAL_FIELDS: [(&str, &str); 5] = [
    ("", "checkpoints"),
    ("", "name"),
    ("", "recompute"),
    ("/batch", "threads"),
    ("/data", "threads"),
];

/// The folder, within that of the run, of the trained model.
pub const MODEL_FOLDER: &str = "model";

/// The folder, within that of the run, of the adapters of a recipe that trains nothing else.
pub const ADAPTER_FOLDER: &str = "adapter";

/// A recipe to run on one backend.
pub struct TrainJob {
    /// What is trained.
    pub recipe: Recipe,
    /// How.
    pub options: TrainOptions,
}

/// How a recipe is run.
#[derive(Clone, Debug)]
pub struct TrainOptions {
    /// The folder of the run: checkpoints, metrics, the trained model.
    pub folder: PathBuf,
    /// Whether to go on from the newest checkpoint.
    pub resume: bool,
    /// Whether only to show what would be done.
    pub dry_run: bool,
    /// Bytes that there are for the model; unknown for `None`.
    pub memory: Option<u64>,
    /// Number of devices of this machine that train together, at least 1.
    pub devices: usize,
    /// Ends the run with a checkpoint.
    pub interrupt: Option<Interrupt>,
}

/// How a run ended.
#[derive(Debug)]
pub enum Finished {
    /// Nothing was trained, only looked at.
    DryRun(Box<DryRun>),
    /// It made its steps, or the data ended: the model is in the run's folder.
    Trained {
        /// Steps of all sessions.
        step: usize,
        /// Why it ended.
        outcome: Outcome,
    },
}

impl BackendTask for TrainJob {
    type Output = Result<Finished, BoxError>;

    fn run<B: MpmBackend>(self, device: B::Device) -> Self::Output {
        match &self.recipe.objective {
            ObjectiveConfig::Captions {} | ObjectiveConfig::Instructions {} => {
                self.run_stage::<B, ChatStage<B>>(&device)
            }
            ObjectiveConfig::Diffusion(_) => self.run_stage::<B, PaintStage<B>>(&device),
            ObjectiveConfig::Alignment(_) => self.run_stage::<B, AlignmentStage<B>>(&device),
        }
    }
}

impl TrainJob {
    fn run_stage<B: MpmBackend, S: Stage<B>>(
        &self,
        device: &B::Device,
    ) -> Result<Finished, BoxError> {
        self.check_data()?;
        if self.options.dry_run {
            let report = self.prepare::<B, S>(0, device)?.look()?;
            return Ok(Finished::DryRun(Box::new(report)));
        }
        // Held to the end: no other process may begin or go on in this folder meanwhile.
        let checkpoints = self.checkpoints()?;
        self.check_folder(&checkpoints)?;
        run_workers::<B, _, _>(
            self.options.devices,
            device,
            |rank, device| {
                let ready = self.prepare::<B, S>(rank, &device)?;
                ready.check_memory(self.options.memory)?;
                Ok(ready)
            },
            |rank, ready, peer| self.train::<B, S>(ready, checkpoints.clone(), rank, peer),
        )
    }

    /// Checks that the folder holds a run to resume, or none to begin.
    fn check_folder(&self, checkpoints: &CheckpointStore) -> Result<(), BoxError> {
        let TrainOptions { folder, resume, .. } = &self.options;
        let folder = folder.clone();
        match (checkpoints.newest()?, resume) {
            (None, true) => Err(RunError::NothingToResume { folder }.into()),
            (Some(newest), false) => {
                let step = newest.manifest.state.step;
                Err(RunError::HoldsRun { folder, step }.into())
            }
            _ => Ok(()),
        }
    }

    /// Looks at all files of the data before the model is loaded: a run that meets a damaged one
    /// has trained for nothing since its last checkpoint.
    fn check_data(&self) -> Result<(), BoxError> {
        let evaluation = self.recipe.evaluation.iter();
        let evaluation = evaluation.flat_map(|evaluation| &evaluation.mix);
        for member in self.recipe.data.mix.iter().chain(evaluation) {
            member.check()?;
        }
        Ok(())
    }

    fn checkpoints(&self) -> Result<CheckpointStore, BoxError> {
        let folder = self.options.folder.join("checkpoints");
        let store = CheckpointStore::open(folder, self.recipe.checkpoints.keep)?;
        Ok(match self.recipe.evaluation {
            Some(_) => store.keep_best(BETTER),
            None => store,
        })
    }

    /// What can fail for one worker alone, before it joins the others.
    fn prepare<B: MpmBackend, S: Stage<B>>(
        &self,
        rank: usize,
        device: &B::Device,
    ) -> Result<Ready<B, S>, BoxError> {
        Ready::new(&self.recipe, rank, self.options.devices, device)
    }

    /// What a worker does beside the others.
    fn train<B: MpmBackend, S: Stage<B>>(
        &self,
        ready: Ready<B, S>,
        checkpoints: CheckpointStore,
        rank: usize,
        peer: Option<CollectivePeer<B>>,
    ) -> Result<Finished, BoxError> {
        let stage = ready.stage;
        let mut source = Prefetch::new(ready.source, PREFETCHED);
        let objective = stage.objective();
        let mut trainer =
            Trainer::<Autodiff<B>, S::Objective>::new(ready.config, objective, ready.model)?
                .with_checkpoints(checkpoints)
                .with_recipe(self.resumable_recipe()?);
        if let Some(peer) = peer {
            trainer = trainer.with_peers(peer);
        }
        if rank == 0 {
            trainer = self.watched(trainer, &stage, ready.evaluation);
        }
        if self.options.resume {
            trainer.resume(&mut source)?;
        }
        if rank == 0 {
            // Not before: a recipe that cannot go on with the run has no place in its folder.
            self.write_records(&ready.parameters)?;
            self.announce(&ready.parameters, ready.only_adapters);
        }
        let trained = trainer.run(&mut source)?;
        if rank == 0 && trained.outcome != Outcome::Cancelled {
            let model = trained.average.unwrap_or(trained.model);
            self.save(&stage, model, ready.only_adapters)?;
        }
        Ok(Finished::Trained {
            step: trained.step,
            outcome: trained.outcome,
        })
    }

    /// Writes the trained model, and its adapters by themselves, too, where they are all that was
    /// trained.
    fn save<B: MpmBackend, S: Stage<B>>(
        &self,
        stage: &S,
        model: S::Model,
        only_adapters: bool,
    ) -> Result<(), BoxError> {
        let folder = &self.options.folder;
        let Some(lora) = &self.recipe.lora else {
            return stage.save(model, &folder.join(MODEL_FOLDER));
        };
        if only_adapters {
            let adapter = folder.join(ADAPTER_FOLDER);
            let keys = S::checkpoint_keys();
            lora::save::<Autodiff<B>, _>(&model, lora.config(), &adapter, &keys)?;
        }
        let merged = lora::merge::<Autodiff<B>, _>(model);
        stage.save(merged, &folder.join(MODEL_FOLDER))
    }

    /// The first worker's trainer: it writes metrics, shows progress, measures the model, and hears
    /// Ctrl-C, of which it tells the others.
    fn watched<B: MpmBackend, S: Stage<B>>(
        &self,
        trainer: Trainer<Autodiff<B>, S::Objective>,
        stage: &S,
        evaluation: Option<Evaluation<S::Source>>,
    ) -> Trainer<Autodiff<B>, S::Objective> {
        let (recipe, options) = (&self.recipe, &self.options);
        let metrics = options.folder.join("metrics.jsonl");
        let trainer = trainer
            .with_callback(MetricsWriter::json_lines(metrics))
            .with_callback(TensorBoardWriter::new(options.folder.join("events")))
            .with_callback(Progress::new(recipe.steps, options.interrupt.clone()));
        let Some(Evaluation { source, batches }) = evaluation else {
            return trainer;
        };
        trainer.with_evaluator(LossEvaluator::<B, S> {
            objective: stage.objective(),
            start: source.position(),
            source,
            batches,
            backend: PhantomData,
        })
    }

    /// The recipe without what may change on the way, since no parameter depends on it.
    fn resumable_recipe(&self) -> Result<Value, BoxError> {
        let mut recipe = serde_json::to_value(&self.recipe)?;
        for (table, name) in NEUTRAL_FIELDS {
            let table = recipe.pointer_mut(table).and_then(Value::as_object_mut);
            table.and_then(|table| table.remove(name));
        }
        Ok(recipe)
    }

    /// Writes what the run is made from beside its results.
    fn write_records(&self, parameters: &ParameterTable) -> Result<(), BoxError> {
        let folder = &self.options.folder;
        let recipe = serde_json::to_string_pretty(&self.recipe)?;
        for (name, text) in [
            ("recipe.json", recipe),
            ("parameters.txt", parameters.to_string()),
        ] {
            write(&folder.join(name), &text)?;
        }
        Ok(())
    }

    /// Says what trains, and where it will be.
    fn announce(&self, parameters: &ParameterTable, only_adapters: bool) {
        note(&format!("{}\n", parameters.by_layer()));
        if self.recipe.lora.is_some() && !only_adapters {
            note(&format!(
                "other parameters train beside the adapters: {MODEL_FOLDER}/ will have all of \
                 them, and there will be no {ADAPTER_FOLDER}/\n"
            ));
        }
    }
}

fn write(path: &Path, text: &str) -> Result<(), RunError> {
    atomic::write_bytes(path, text.as_bytes()).map_err(|source| RunError::Write {
        path: path.to_path_buf(),
        source,
    })
}
