//! Running a recipe.

use std::{
    fs,
    marker::PhantomData,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use burn::backend::Autodiff;
use mpm_core::{MpmBackend, backend::BackendTask};
use mpm_train::{
    BoxError, CheckpointStore, DataSource, MemoryEstimate, Outcome, Prefetch, Trainer,
    distributed::CollectivePeer,
    freeze::{ParameterTable, train_only},
    metrics::{MetricsWriter, TensorBoardWriter},
    pattern::PathPattern,
    recipe::{BETTER, ObjectiveConfig, Recipe},
};
use viscpm_common::cli::Interrupt;

use crate::{
    DataShare, DryRun, RunError, Stage, alignment::AlignmentStage, chat::ChatStage,
    evaluation::LossEvaluator, paint::PaintStage, progress::Progress, workers::run_workers,
};

/// Batches that are prepared while the model computes.
const PREFETCHED: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// The folder, within that of the run, of the trained model.
pub const MODEL_FOLDER: &str = "model";

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
        // Opening the folder of checkpoints clears up in it, which is not for a mere look.
        if !self.options.dry_run {
            self.check_folder()?;
        }
        self.check_data()?;
        run_workers::<B, _>(self.options.devices, device, |rank, device, peer| {
            let stage = S::open(&self.recipe, &device)?;
            self.work::<B, S>(stage, rank, peer)
        })
    }

    /// Checks that the folder holds a run to resume, or none to begin.
    fn check_folder(&self) -> Result<(), BoxError> {
        let TrainOptions { folder, resume, .. } = &self.options;
        let folder = folder.clone();
        match (self.checkpoints()?.newest()?, resume) {
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

    /// What one worker does.
    fn work<B: MpmBackend, S: Stage<B>>(
        &self,
        stage: S,
        rank: usize,
        peer: Option<CollectivePeer<B>>,
    ) -> Result<Finished, BoxError> {
        let (recipe, options) = (&self.recipe, &self.options);
        let workers = options.devices;
        let patterns: Vec<_> = recipe.trainable.iter().map(PathPattern::new).collect();
        let model = train_only::<Autodiff<B>, _>(stage.model(), &patterns)?;
        let table = ParameterTable::new::<Autodiff<B>, _>(&model);
        let frozen = table.frozen().map(|row| row.path.clone()).collect();
        let config = recipe.trainer(workers, frozen)?;
        let memory = MemoryEstimate::new(&table, &config, stage.activations(recipe));
        let share = DataShare::training(recipe, rank, workers)?;
        let mut source = stage.source(&share)?;
        if options.dry_run {
            let batch = source.next_batch()?.ok_or(RunError::NoBatch)?;
            return Ok(Finished::DryRun(Box::new(DryRun {
                batch: stage.preview(&batch),
                parameters: table,
                memory,
            })));
        }
        if let Some(available) = options.memory
            && memory.total() > available
        {
            return Err(RunError::TooLarge {
                estimate: Box::new(memory),
                available,
            }
            .into());
        }

        let mut source = Prefetch::new(source, PREFETCHED);
        let mut trainer =
            Trainer::<Autodiff<B>, S::Objective>::new(config, stage.objective(), model)?
                .with_checkpoints(self.checkpoints()?)
                .with_recipe(self.resumable_recipe()?);
        if let Some(peer) = peer {
            trainer = trainer.with_peers(peer);
        }
        if rank == 0 {
            self.write_records(&table)?;
            trainer = self.watched(trainer, &stage)?;
        }
        if options.resume {
            trainer.resume(&mut source)?;
        }
        let trained = trainer.run(&mut source)?;
        if rank == 0 && trained.outcome != Outcome::Cancelled {
            let model = trained.average.unwrap_or(trained.model);
            stage.save(model, &options.folder.join(MODEL_FOLDER))?;
        }
        Ok(Finished::Trained {
            step: trained.step,
            outcome: trained.outcome,
        })
    }

    /// The first worker's trainer: it writes metrics, shows progress, measures the model, and hears
    /// Ctrl-C, of which it tells the others.
    fn watched<B: MpmBackend, S: Stage<B>>(
        &self,
        trainer: Trainer<Autodiff<B>, S::Objective>,
        stage: &S,
    ) -> Result<Trainer<Autodiff<B>, S::Objective>, BoxError> {
        let (recipe, options) = (&self.recipe, &self.options);
        let metrics = options.folder.join("metrics.jsonl");
        let trainer = trainer
            .with_callback(MetricsWriter::json_lines(metrics))
            .with_callback(TensorBoardWriter::new(options.folder.join("events")))
            .with_callback(Progress::new(recipe.steps, options.interrupt.clone()));
        let Some(evaluation) = &recipe.evaluation else {
            return Ok(trainer);
        };
        let source = stage.source(&DataShare::evaluation(recipe, evaluation)?)?;
        Ok(trainer.with_evaluator(LossEvaluator::<B, S> {
            objective: stage.objective(),
            start: source.position(),
            source,
            batches: evaluation.samples.get().div_ceil(recipe.batch.micro.get()),
            backend: PhantomData,
        }))
    }

    /// The recipe without what may change on the way.
    fn resumable_recipe(&self) -> Result<serde_json::Value, BoxError> {
        let mut recipe = serde_json::to_value(&self.recipe)?;
        if let Some(recipe) = recipe.as_object_mut() {
            recipe.remove("checkpoints");
            recipe.remove("name");
        }
        Ok(recipe)
    }

    /// Writes what the run is made from beside its results.
    fn write_records(&self, table: &ParameterTable) -> Result<(), BoxError> {
        let folder = &self.options.folder;
        let recipe = serde_json::to_string_pretty(&self.recipe)?;
        for (name, text) in [
            ("recipe.json", recipe),
            ("parameters.txt", table.to_string()),
        ] {
            write(&folder.join(name), &text)?;
        }
        Ok(())
    }
}

fn write(path: &Path, text: &str) -> Result<(), RunError> {
    fs::write(path, text).map_err(|source| RunError::Write {
        path: path.to_path_buf(),
        source,
    })
}
