//! Several data sets as one.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use rand::{SeedableRng, distr::Distribution, distr::weighted::WeightedIndex};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{
    BadExample, DatasetConfig, DatasetError, Example, ExampleStream, StreamOptions, StreamPosition,
};
use crate::DataError;

/// A data set of a mix.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixMember {
    /// What reports and positions call it; no other member may be called so.
    pub name: String,
    /// Its share of the examples, relative to the weights of the others; above 0.
    pub weight: f64,
    /// Its files.
    pub dataset: DatasetConfig,
}

/// Delivers the examples of several data sets, each by its share.
///
/// Which member has its turn is drawn for each example, as a function of the seed and of the
/// example's number. A member whose epochs are over is left out; the mix ends with the last one.
pub struct DatasetMix {
    members: Vec<Member>,
    weights: WeightedIndex<f64>,
    seed: u64,
    next: u64,
}

struct Member {
    name: String,
    stream: ExampleStream,
    delivered: u64,
    ended: bool,
}

/// An example of a mix.
#[derive(Clone, Debug, PartialEq)]
pub struct MixedExample {
    /// Its number among all that the mix has delivered, from 0.
    pub number: u64,
    /// The member's place in the list of members.
    pub member: usize,
    /// The example.
    pub example: Example,
}

/// Where a mix stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixPosition {
    /// The number of the next example.
    next: u64,
    members: BTreeMap<String, MemberPosition>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberPosition {
    delivered: u64,
    stream: StreamPosition,
}

/// What became of a member so far.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MemberReport {
    /// The member's name.
    pub name: String,
    /// Examples that it delivered.
    pub delivered: u64,
    /// Unusable ones that were met.
    pub bad: u64,
    /// Times that it was read to its end.
    pub epochs: u64,
}

impl DatasetMix {
    /// A mix at its beginning. All files are opened once, so that one that is missing or of
    /// another layout is named before the long work starts.
    ///
    /// `options` hold for each member on its own.
    ///
    /// # Errors
    /// [`DataError::Mix`] for a mix without members, names that are empty or occur twice, and
    /// weights that are not above 0; [`DataError::Dataset`] for a file that cannot be opened.
    pub fn new(members: &[MixMember], options: StreamOptions) -> Result<Self, DataError> {
        let mut names = BTreeSet::new();
        for member in members {
            let refuse = |reason| Err(DataError::mix(&member.name, reason));
            if member.name.is_empty() || !names.insert(&member.name) {
                return refuse("its name is empty or occurs twice");
            }
            if !(member.weight > 0.0 && member.weight.is_finite()) {
                return refuse("its weight is not a number above 0");
            }
            member.dataset.check()?;
        }
        let weights = WeightedIndex::new(members.iter().map(|member| member.weight))
            .map_err(|_| DataError::mix("", "it has no members, or the weights have no sum"))?;
        let members = members.iter().map(|member| {
            let options = StreamOptions {
                seed: options.seed ^ name_hash(&member.name),
                ..options
            };
            Ok(Member {
                name: member.name.clone(),
                stream: ExampleStream::new(member.dataset.clone(), options)?,
                delivered: 0,
                ended: false,
            })
        });
        Ok(Self {
            members: members.collect::<Result<_, DataError>>()?,
            weights,
            seed: options.seed,
            next: 0,
        })
    }

    /// The next example; `None` when all members have ended.
    ///
    /// # Errors
    /// As [`ExampleStream::next_example`].
    pub fn next_example(&mut self) -> Result<Option<MixedExample>, DataError> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.next);
        while self.members.iter().any(|member| !member.ended) {
            // Members that ended are drawn as well: draws must not depend on whether their end
            // was noticed already.
            let index = self.weights.sample(&mut rng);
            let member = &mut self.members[index];
            if member.ended {
                continue;
            }
            let Some(example) = member.stream.next_example()? else {
                member.ended = true;
                continue;
            };
            member.delivered += 1;
            let number = self.next;
            self.next += 1;
            return Ok(Some(MixedExample {
                number,
                member: index,
                example,
            }));
        }
        Ok(None)
    }

    /// Where the mix stands: what it delivers next.
    pub fn position(&self) -> MixPosition {
        let members = self.members.iter().map(|member| {
            let position = MemberPosition {
                delivered: member.delivered,
                stream: member.stream.position(),
            };
            (member.name.clone(), position)
        });
        MixPosition {
            next: self.next,
            members: members.collect(),
        }
    }

    /// Goes to a position of a mix of the same members and options.
    ///
    /// # Errors
    /// [`DataError::Mix`] when the position is one of other members; the mix stays where it is.
    /// Otherwise as [`next_example`](Self::next_example).
    pub fn seek(&mut self, position: &MixPosition) -> Result<(), DataError> {
        let known = |name: &String| self.members.iter().any(|member| member.name == *name);
        if let Some(name) = position.members.keys().find(|name| !known(name)) {
            let reason = "the position has such a member, the mix has not";
            return Err(DataError::mix(name, reason));
        }
        let positions: Result<Vec<_>, _> = self
            .members
            .iter()
            .map(|member| {
                let position = position.members.get(&member.name).copied();
                position.ok_or_else(|| DataError::mix(&member.name, "the position lacks it"))
            })
            .collect();
        for (member, position) in self.members.iter_mut().zip(positions?) {
            member.stream.seek(position.stream)?;
            member.delivered = position.delivered;
            member.ended = false;
        }
        self.next = position.next;
        Ok(())
    }

    /// Counts an example that was delivered and turned out to be unusable, and logs it.
    ///
    /// # Errors
    /// [`DatasetError::TooManyBad`], when it was one too many of its member.
    pub fn report(&mut self, member: usize, bad: &BadExample) -> Result<(), DataError> {
        match self.members.get_mut(member) {
            Some(member) => member.stream.report(bad),
            None => Ok(()),
        }
    }

    /// What became of the members so far, in their order.
    pub fn reports(&self) -> Vec<MemberReport> {
        let members = self.members.iter().map(|member| MemberReport {
            name: member.name.clone(),
            delivered: member.delivered,
            bad: member.stream.bad(),
            epochs: member.stream.position().epoch() + u64::from(member.ended),
        });
        members.collect()
    }
}

/// Members get orders of their own, which do not change when others are added.
fn name_hash(name: &str) -> u64 {
    let digest = Sha256::digest(name.as_bytes());
    let head = digest.iter().take(8);
    head.fold(0, |hash, &byte| hash << 8 | u64::from(byte))
}

impl DatasetConfig {
    /// Opens every file, to see whether it is there and begins as the format says.
    ///
    /// # Errors
    /// [`DataError::Dataset`] with the first file for which it is not so.
    pub fn check(&self) -> Result<(), DataError> {
        let named = |path: PathBuf, source| DataError::Dataset { path, source };
        if self.files.is_empty() {
            return Err(named(PathBuf::new(), DatasetError::NoFiles));
        }
        for file in &self.files {
            if let Err(source) = self.open(file) {
                return Err(named(file.clone(), source));
            }
        }
        Ok(())
    }
}
