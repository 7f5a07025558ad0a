//! Pairs of parallel sentences in random order.

use std::{num::NonZeroUsize, path::PathBuf};

use mpm_data::parallel::ParallelCorpus;
use mpm_train::{BoxError, DataSource};
use rand::seq::SliceRandom;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use crate::DataShare;

/// Batches of pairs, endlessly; their order is a function of the seed and the number of the
/// batch.
#[derive(Clone, Debug)]
pub struct PairSource {
    pairs: Vec<[String; 2]>,
    seed: u64,
    batch: NonZeroUsize,
    rank: usize,
    ranks: NonZeroUsize,
    /// Batches that were delivered.
    batches: u64,
    /// The order of an epoch, kept while it lasts.
    order: Option<(u64, Vec<usize>)>,
}

impl PairSource {
    /// The pairs of two languages in files of parallel sentences.
    ///
    /// # Errors
    /// [`mpm_data::DataError`] for a file that cannot be read; when there are fewer than two
    /// pairs, of which none can be told from another.
    pub fn new(
        files: &[PathBuf],
        [first, second]: &[String; 2],
        share: &DataShare,
    ) -> Result<Self, BoxError> {
        let mut pairs = Vec::new();
        for file in files {
            let corpus = ParallelCorpus::open(file)?;
            let found = corpus.pairs(first, second).into_iter();
            pairs.extend(found.map(|(one, other)| [one.to_owned(), other.to_owned()]));
        }
        if pairs.len() < share.batch.get().max(2) {
            let found = pairs.len();
            let reason = format!(
                "`objective.files` have {found} pairs of `{first}` and `{second}`, and a batch \
                 (`batch.micro`) needs {}",
                share.batch
            );
            return Err(reason.into());
        }
        Ok(Self {
            pairs,
            seed: share.options.seed,
            batch: share.batch,
            rank: share.options.rank,
            ranks: share.options.ranks,
            batches: 0,
            order: None,
        })
    }

    /// The pairs in the order of an epoch.
    fn order(&mut self, epoch: u64) -> &[usize] {
        if self.order.as_ref().is_none_or(|(kept, _)| *kept != epoch) {
            let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
            rng.set_stream(epoch);
            let mut order: Vec<_> = (0..self.pairs.len()).collect();
            order.shuffle(&mut rng);
            self.order = Some((epoch, order));
        }
        self.order.as_ref().map_or(&[], |(_, order)| order)
    }
}

impl DataSource for PairSource {
    type Batch = Vec<[String; 2]>;
    type Position = u64;

    fn next_batch(&mut self) -> Result<Option<Self::Batch>, BoxError> {
        // Whole batches only: each pair is told from all others of its batch.
        let a_batch = self.batch.get();
        let in_epoch = (self.pairs.len() / a_batch) as u64;
        let number = self.batches * self.ranks.get() as u64 + self.rank as u64;
        let (epoch, place) = (number / in_epoch, (number % in_epoch) as usize);
        let chosen = self.order(epoch)[place * a_batch..][..a_batch].to_vec();
        self.batches += 1;
        Ok(Some(
            chosen
                .into_iter()
                .map(|pair| self.pairs[pair].clone())
                .collect(),
        ))
    }

    fn position(&self) -> u64 {
        self.batches
    }

    fn seek(&mut self, position: &u64) -> Result<(), BoxError> {
        self.batches = *position;
        Ok(())
    }
}
