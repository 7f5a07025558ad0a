//! Batches of the examples of a recipe's data sets.

use std::{num::NonZeroUsize, thread};

use mpm_data::{
    dataset::{
        DatasetMix, Example, ExampleLoader, MixMember, MixPosition, Prepared, StreamOptions,
    },
    picture::Picture,
};
use mpm_train::{
    BoxError, DataSource,
    recipe::{EvaluationConfig, Recipe},
};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// Which part of which data.
#[derive(Clone, Debug)]
pub struct DataShare {
    /// The data sets.
    pub mix: Vec<MixMember>,
    /// Which examples, in which order.
    pub options: StreamOptions,
    /// Samples of a batch.
    pub batch: NonZeroUsize,
    /// Samples of all batches together; endlessly many for `None`.
    pub samples: Option<NonZeroUsize>,
    /// Batches of this worker that make a step.
    pub batches_per_step: NonZeroUsize,
    /// Threads that decode pictures.
    pub threads: NonZeroUsize,
    /// Examples with more tokens are unusable.
    pub max_tokens: Option<usize>,
    /// Whether pictures and prompts may be changed at random.
    pub is_training: bool,
}

impl DataShare {
    /// What one of several workers learns from.
    ///
    /// # Errors
    /// When the batch cannot be shared among the workers.
    pub fn training(recipe: &Recipe, rank: usize, workers: usize) -> Result<Self, BoxError> {
        let data = &recipe.data;
        Ok(Self {
            mix: data.mix.clone(),
            options: StreamOptions {
                window: data.window,
                rank,
                ranks: NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN),
                max_bad: data.max_bad,
                ..StreamOptions::new(recipe.seed)
            },
            batch: recipe.batch.micro,
            samples: None,
            batches_per_step: recipe.batch.accumulation(workers)?,
            threads: data
                .threads
                .or_else(|| thread::available_parallelism().ok())
                .unwrap_or(NonZeroUsize::MIN),
            max_tokens: data.max_tokens,
            is_training: true,
        })
    }

    /// What a model is measured on: examples in the order of their files.
    ///
    /// # Errors
    /// As [`training`](Self::training).
    pub fn evaluation(recipe: &Recipe, evaluation: &EvaluationConfig) -> Result<Self, BoxError> {
        let share = Self::training(recipe, 0, 1)?;
        Ok(Self {
            mix: evaluation.mix.clone(),
            options: StreamOptions {
                window: NonZeroUsize::MIN,
                ..share.options
            },
            samples: Some(evaluation.samples),
            batches_per_step: NonZeroUsize::MIN,
            is_training: false,
            ..share
        })
    }
}

/// Makes a sample of an example, its pictures and the number of its step, counted from 0. The
/// random numbers are the example's own.
pub type Prepare<T> =
    Box<dyn Fn(&Example, &[Picture], u64, &mut ChaCha8Rng) -> Prepared<T> + Send + Sync>;

/// Makes a batch of samples.
pub type Collate<T, B> = Box<dyn Fn(Vec<T>) -> Result<B, BoxError> + Send>;

/// Batches of examples, prepared on several threads.
pub struct BatchSource<T, B> {
    loader: ExampleLoader,
    prepare: Prepare<T>,
    collate: Collate<T, B>,
    batch: NonZeroUsize,
    samples: Option<NonZeroUsize>,
    batches_per_step: u64,
    batches: u64,
}

/// Where a [`BatchSource`] stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchPosition {
    /// Batches that were delivered.
    batches: u64,
    /// Where the examples stand.
    examples: MixPosition,
}

impl<T, B> BatchSource<T, B> {
    /// A source at its beginning.
    ///
    /// # Errors
    /// [`mpm_data::DataError`] when the data sets make no mixture or their files are not there.
    pub fn new(
        share: &DataShare,
        prepare: Prepare<T>,
        collate: Collate<T, B>,
    ) -> Result<Self, BoxError> {
        let mix = DatasetMix::new(share.mix.clone(), share.options)?;
        Ok(Self {
            loader: ExampleLoader::new(mix, share.threads)?,
            prepare,
            collate,
            batch: share.batch,
            samples: share.samples,
            batches_per_step: share.batches_per_step.get() as u64,
            batches: 0,
        })
    }

    /// Samples of the next batch: fewer in the last one of a limited number, none behind it.
    fn next_size(&self) -> Option<NonZeroUsize> {
        let Some(samples) = self.samples else {
            return Some(self.batch);
        };
        let batches = usize::try_from(self.batches).unwrap_or(usize::MAX);
        let delivered = batches.saturating_mul(self.batch.get());
        let left = samples.get().saturating_sub(delivered);
        NonZeroUsize::new(left.min(self.batch.get()))
    }
}

impl<T: Send, B> DataSource for BatchSource<T, B> {
    type Batch = B;
    type Position = BatchPosition;

    /// Examples that cannot be used are reported, and others taken in their place.
    fn next_batch(&mut self) -> Result<Option<B>, BoxError> {
        let Some(size) = self.next_size() else {
            return Ok(None);
        };
        let step = self.batches / self.batches_per_step;
        let prepare = &self.prepare;
        let samples = self.loader.next_batch(size, |example, pictures, rng| {
            prepare(example, pictures, step, rng)
        })?;
        self.batches += 1;
        samples.map(|samples| (self.collate)(samples)).transpose()
    }

    fn position(&self) -> BatchPosition {
        BatchPosition {
            batches: self.batches,
            examples: self.loader.position(),
        }
    }

    fn seek(&mut self, position: &BatchPosition) -> Result<(), BoxError> {
        self.loader.seek(&position.examples)?;
        self.batches = position.batches;
        Ok(())
    }
}
