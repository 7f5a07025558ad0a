//! Some of the examples of a data set.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

use crate::dataset::Origin;

/// What orders the examples: as good as random, but of each by itself, so that the first of them
/// stay the first when more are wanted, or the data set grows.
pub(super) type Rank = [u8; 32];

/// The rank of the example of a place.
pub(super) fn rank(seed: u64, origin: &Origin) -> Rank {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(origin.to_string());
    hash.finalize().into()
}

/// The smallest of many ranks.
#[derive(Debug)]
pub(super) struct Smallest {
    limit: usize,
    ranks: BTreeSet<Rank>,
}

impl Smallest {
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            ranks: BTreeSet::new(),
        }
    }

    pub fn offer(&mut self, rank: Rank) {
        self.ranks.insert(rank);
        if self.ranks.len() > self.limit {
            self.ranks.pop_last();
        }
    }

    pub fn contains(&self, rank: &Rank) -> bool {
        self.ranks.contains(rank)
    }
}
