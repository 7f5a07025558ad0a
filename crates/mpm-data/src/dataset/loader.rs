//! Examples prepared on several threads.

use std::{error::Error, num::NonZeroUsize};

use rand_chacha::ChaCha8Rng;
use rayon::{ThreadPool, ThreadPoolBuilder, prelude::*};

use super::{BadExample, DatasetMix, Example, Flaw, MixExample, MixPosition, PictureSource};
use crate::{
    DataError,
    picture::{Picture, PictureLimits},
};

/// What a model makes of an example, or why it cannot read it.
pub type Prepared<T> = Result<T, Box<dyn Error + Send + Sync>>;

/// Delivers batches of a mixture, decoded and prepared on several threads.
///
/// The order of examples and their random numbers depend on the mixture alone, and not on the
/// number of threads. To prepare batches while a model computes, move the loader to a thread of
/// its own.
pub struct ExampleLoader {
    mix: DatasetMix,
    /// Between two batches. The mixture is ahead of it when one could not be finished.
    position: MixPosition,
    failed: bool,
    pool: ThreadPool,
    limits: PictureLimits,
}

impl ExampleLoader {
    /// A loader with threads of its own.
    ///
    /// # Errors
    /// [`DataError::Threads`] when the system has no more of them.
    pub fn new(mix: DatasetMix, threads: NonZeroUsize) -> Result<Self, DataError> {
        let pool = ThreadPoolBuilder::new().num_threads(threads.get());
        Ok(Self {
            position: mix.position(),
            mix,
            failed: false,
            pool: pool.build().map_err(DataError::Threads)?,
            limits: PictureLimits::default(),
        })
    }

    /// Refuses pictures beyond other limits than the default's.
    pub fn with_limits(mut self, limits: PictureLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The next `size` samples, fewer at the end of the data, `None` after it.
    ///
    /// `prepare` makes a sample of an example, its decoded pictures and random numbers of its
    /// own. An example that it refuses, or whose pictures cannot be decoded, is reported to the
    /// mixture, and the next one takes its place.
    ///
    /// # Errors
    /// Those of [`DatasetMix::next_example`] and [`DatasetMix::report`]. The loader stays before
    /// the batch, which the next call tries again.
    pub fn next_batch<T: Send>(
        &mut self,
        size: NonZeroUsize,
        prepare: impl Fn(&Example, &[Picture], &mut ChaCha8Rng) -> Prepared<T> + Sync,
    ) -> Result<Option<Vec<T>>, DataError> {
        if self.failed {
            self.mix.seek(&self.position)?;
        }
        let batch = self.batch(size, prepare);
        self.failed = batch.is_err();
        let batch = batch?;
        self.position = self.mix.position();
        Ok(batch)
    }

    /// The next batch of the mixture.
    fn batch<T: Send>(
        &mut self,
        size: NonZeroUsize,
        prepare: impl Fn(&Example, &[Picture], &mut ChaCha8Rng) -> Prepared<T> + Sync,
    ) -> Result<Option<Vec<T>>, DataError> {
        let mut samples = Vec::with_capacity(size.get());
        loop {
            let missing = size.get() - samples.len();
            let examples = self.examples(missing)?;
            if examples.is_empty() {
                break;
            }
            let limits = &self.limits;
            let made: Vec<_> = self.pool.install(|| {
                let made = examples.into_par_iter().map(|(next, mut rng)| {
                    let made = sample(&next.example, limits, |pictures| {
                        prepare(&next.example, pictures, &mut rng)
                    });
                    (next.member, made)
                });
                made.collect()
            });
            for (member, made) in made {
                match made {
                    Ok(sample) => samples.push(sample),
                    Err(bad) => self.mix.report(member, &bad)?,
                }
            }
        }
        Ok((!samples.is_empty()).then_some(samples))
    }

    /// Up to `count` examples with their random numbers.
    fn examples(&mut self, count: usize) -> Result<Vec<(MixExample, ChaCha8Rng)>, DataError> {
        let mut examples = Vec::with_capacity(count);
        while examples.len() < count {
            let Some(next) = self.mix.next_example()? else {
                break;
            };
            let rng = self.mix.rng(next.number);
            examples.push((next, rng));
        }
        Ok(examples)
    }

    /// Where the loader stands between two batches: after an error, before the batch that failed.
    pub fn position(&self) -> MixPosition {
        self.position.clone()
    }

    /// Goes to a position of a loader of the same mixture.
    ///
    /// # Errors
    /// Those of [`DatasetMix::seek`]. The loader stays where it was.
    pub fn seek(&mut self, position: &MixPosition) -> Result<(), DataError> {
        let sought = self.mix.seek(position);
        self.failed = sought.is_err();
        sought?;
        self.position = position.clone();
        Ok(())
    }

    /// The mixture, for reports on its members.
    pub fn mix(&self) -> &DatasetMix {
        &self.mix
    }
}

/// Decodes the pictures of an example and makes a sample of it.
fn sample<T>(
    example: &Example,
    limits: &PictureLimits,
    prepare: impl FnOnce(&[Picture]) -> Prepared<T>,
) -> Result<T, BadExample> {
    let decode = |(number, picture): (usize, &PictureSource)| {
        let decoded = picture.decode(limits);
        decoded.map_err(|source| Flaw::Picture { number, source })
    };
    let pictures: Result<Vec<_>, _> = example.pictures.iter().enumerate().map(decode).collect();
    pictures
        .and_then(|pictures| prepare(&pictures).map_err(Flaw::Unfit))
        .map_err(|flaw| BadExample {
            origin: example.origin.clone(),
            flaw,
        })
}
