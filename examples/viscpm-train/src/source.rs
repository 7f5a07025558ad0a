//! Batches of the examples of a recipe's data sets.

use std::{num::NonZeroUsize, thread};

use mpm_data::{
    dataset::{
        BadExample, DatasetMix, Example, Flaw, MixExample, MixMember, MixPosition, PictureSource,
        StreamOptions,
    },
    picture::{Picture, PictureLimits},
};
use mpm_train::{
    BoxError, DataSource,
    recipe::{EvaluationConfig, Recipe},
};
use rand_chacha::ChaCha8Rng;
use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};
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
            batches_per_step: recipe.batch.accumulation(workers)?,
            threads: data
                .threads
                .or_else(|| thread::available_parallelism().ok())
                .unwrap_or(NonZeroUsize::MIN),
            max_tokens: data.max_tokens,
            is_training: true,
        })
    }

    /// What a model is measured on.
    ///
    /// # Errors
    /// As [`training`](Self::training).
    pub fn evaluation(recipe: &Recipe, evaluation: &EvaluationConfig) -> Result<Self, BoxError> {
        let share = Self::training(recipe, 0, 1)?;
        Ok(Self {
            mix: evaluation.mix.clone(),
            batches_per_step: NonZeroUsize::MIN,
            is_training: false,
            ..share
        })
    }
}

/// Makes a sample of an example, its pictures and the number of its step, counted from 0. The
/// random numbers are the example's own.
pub type Prepare<T> =
    Box<dyn Fn(&Example, &[Picture], u64, &mut ChaCha8Rng) -> Result<T, BoxError> + Send + Sync>;

/// Makes a batch of samples.
pub type Collate<T, B> = Box<dyn Fn(Vec<T>) -> Result<B, BoxError> + Send>;

/// Batches of examples, prepared on several threads.
pub struct BatchSource<T, B> {
    mix: DatasetMix,
    pool: ThreadPool,
    prepare: Prepare<T>,
    collate: Collate<T, B>,
    batch: NonZeroUsize,
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

impl<T: Send, B> BatchSource<T, B> {
    /// A source at its beginning.
    ///
    /// # Errors
    /// [`mpm_data::DataError`] when the data sets make no mixture or their files are not there.
    pub fn new(
        share: &DataShare,
        prepare: Prepare<T>,
        collate: Collate<T, B>,
    ) -> Result<Self, BoxError> {
        let threads = share.threads.get();
        Ok(Self {
            mix: DatasetMix::new(share.mix.clone(), share.options)?,
            pool: ThreadPoolBuilder::new().num_threads(threads).build()?,
            prepare,
            collate,
            batch: share.batch,
            batches_per_step: share.batches_per_step.get() as u64,
            batches: 0,
        })
    }
}

/// Decodes the pictures of an example and makes a sample of it.
fn sample<T>(
    prepare: &Prepare<T>,
    example: &Example,
    step: u64,
    mut rng: ChaCha8Rng,
) -> Result<T, BadExample> {
    let limits = PictureLimits::default();
    let decode = |(number, picture): (usize, &PictureSource)| {
        let decoded = picture.decode(&limits);
        decoded.map_err(|source| Flaw::Picture { number, source })
    };
    let pictures: Result<Vec<_>, _> = example.pictures.iter().enumerate().map(decode).collect();
    pictures
        .and_then(|pictures| prepare(example, &pictures, step, &mut rng).map_err(Flaw::Unfit))
        .map_err(|flaw| BadExample {
            origin: example.origin.clone(),
            flaw,
        })
}

impl<T: Send, B> DataSource for BatchSource<T, B> {
    type Batch = B;
    type Position = BatchPosition;

    /// Examples that cannot be used are reported, and others taken in their place.
    fn next_batch(&mut self) -> Result<Option<B>, BoxError> {
        let step = self.batches / self.batches_per_step;
        let mut samples = Vec::new();
        while samples.len() < self.batch.get() {
            let mut examples = Vec::new();
            while samples.len() + examples.len() < self.batch.get() {
                match self.mix.next_example()? {
                    Some(next) => examples.push((self.mix.rng(next.number), next)),
                    None => break,
                }
            }
            if examples.is_empty() {
                break;
            }
            let prepare = &self.prepare;
            let made: Vec<_> = self.pool.install(|| {
                let made = examples.into_par_iter().map(|(rng, next)| {
                    let MixExample {
                        member, example, ..
                    } = next;
                    (member, sample(prepare, &example, step, rng))
                });
                made.collect()
            });
            for (member, sample) in made {
                match sample {
                    Ok(sample) => samples.push(sample),
                    Err(bad) => self.mix.report(member, &bad)?,
                }
            }
        }
        if samples.is_empty() {
            return Ok(None);
        }
        self.batches += 1;
        (self.collate)(samples).map(Some)
    }

    fn position(&self) -> BatchPosition {
        BatchPosition {
            batches: self.batches,
            examples: self.mix.position(),
        }
    }

    fn seek(&mut self, position: &BatchPosition) -> Result<(), BoxError> {
        self.mix.seek(&position.examples)?;
        self.batches = position.batches;
        Ok(())
    }
}
