//! What a worker has before it trains.

use burn::{backend::Autodiff, module::Module};
use mpm_core::MpmBackend;
use mpm_train::{
    BoxError, DataSource, MemoryEstimate, TrainerConfig,
    freeze::{ParameterTable, train_only},
    lora::only_adapters_train,
    pattern::PathPattern,
    recipe::Recipe,
};

use crate::{DataShare, DryRun, RunError, Stage};

/// A stage, opened, with everything that a trainer is made of.
pub struct Ready<B: MpmBackend, S: Stage<B>> {
    pub stage: S,
    pub model: S::Model,
    pub parameters: ParameterTable,
    /// Whether adapters are all that trains, so that they are a result by themselves.
    pub only_adapters: bool,
    pub config: TrainerConfig,
    pub source: S::Source,
    /// The first worker's, where the recipe asks for one.
    pub evaluation: Option<Evaluation<S::Source>>,
    memory: MemoryEstimate,
}

/// What the model is measured on.
pub struct Evaluation<S> {
    pub source: S,
    /// How many batches it has.
    pub batches: usize,
}

impl<B: MpmBackend, S: Stage<B>> Ready<B, S> {
    /// Opens the recipe's model and data for one of some workers.
    ///
    /// # Errors
    /// When the recipe does not suit them.
    pub fn new(
        recipe: &Recipe,
        rank: usize,
        workers: usize,
        device: &B::Device,
    ) -> Result<Self, BoxError> {
        let stage = S::open(recipe, device)?;
        let mut model = stage.model();
        if let Some(lora) = &recipe.lora {
            for device in model.devices() {
                B::seed(&device, recipe.seed);
            }
            model = lora.attach::<Autodiff<B>, _>(model)?;
        }
        let patterns: Vec<_> = recipe.trainable.iter().map(PathPattern::new).collect();
        let model = train_only::<Autodiff<B>, _>(model, &patterns)?;
        let parameters = ParameterTable::new::<Autodiff<B>, _>(&model);
        let only_adapters = match &recipe.lora {
            Some(_) => only_adapters_train(&parameters)?,
            None => false,
        };
        let frozen = parameters.frozen().map(|row| row.path.clone()).collect();
        let config = recipe.trainer(workers, frozen)?;
        let source = stage.source(&DataShare::training(recipe, rank, workers)?)?;
        let evaluation = match &recipe.evaluation {
            Some(evaluation) if rank == 0 => Some(Evaluation {
                source: stage.source(&DataShare::evaluation(recipe, evaluation)?)?,
                batches: evaluation.samples.get().div_ceil(recipe.batch.micro.get()),
            }),
            _ => None,
        };
        Ok(Self {
            evaluation,
            memory: MemoryEstimate::new(&parameters, &config, stage.activations(recipe)),
            stage,
            model,
            parameters,
            only_adapters,
            config,
            source,
        })
    }

    /// Checks that the run fits into so many bytes, if it is known how many there are.
    ///
    /// # Errors
    /// [`RunError::TooLarge`].
    pub fn check_memory(&self, available: Option<u64>) -> Result<(), RunError> {
        match available {
            Some(available) if self.memory.total() > available => Err(RunError::TooLarge {
                estimate: Box::new(self.memory),
                available,
            }),
            _ => Ok(()),
        }
    }

    /// What would be done.
    ///
    /// # Errors
    /// When the data cannot be read, [`RunError::NoBatch`] when they have no usable example.
    pub fn look(mut self) -> Result<DryRun, BoxError> {
        let batch = self.source.next_batch()?.ok_or(RunError::NoBatch)?;
        Ok(DryRun {
            batch: self.stage.preview(&batch),
            parameters: self.parameters,
            memory: self.memory,
        })
    }
}
