//! Several data sets as one stream.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{
    BadExample, DatasetConfig, Example, ExampleStream, MixError, StreamOptions, StreamPosition,
};
use crate::DataError;

/// 2⁶⁴ divided by the golden ratio. Its multiples fill the range of `u64` evenly from the
/// beginning, so that shares hold in short stretches, too.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// A data set of a mixture.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixMember {
    /// What reports call it.
    pub name: String,
    /// Its share of the examples is its weight among all weights.
    #[serde(default = "one")]
    pub weight: f64,
    /// Its format and files; these may be patterns ([`DatasetConfig::expand`]).
    pub dataset: DatasetConfig,
}

fn one() -> f64 {
    1.0
}

/// Where a mixture stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MixPosition {
    delivered: u64,
    members: Vec<MemberPosition>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberPosition {
    name: String,
    delivered: u64,
    ended: bool,
    stream: StreamPosition,
}

/// An example of a mixture.
#[derive(Clone, Debug, PartialEq)]
pub struct MixExample {
    /// The member that it is from, counted from 0.
    pub member: usize,
    /// How many examples the mixture delivered before it.
    pub number: u64,
    /// The example.
    pub example: Example,
}

/// What a member of a mixture has given so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemberReport<'a> {
    /// Its name.
    pub name: &'a str,
    /// Examples that were delivered.
    pub delivered: u64,
    /// Examples that cannot be used.
    pub bad: u64,
    /// How often it was read to its end.
    pub epochs: u64,
}

/// Delivers examples of several data sets in the shares of their weights.
///
/// Which member is next is a function of the seed, the rank and the number of examples that were
/// delivered. A member that ends, which needs [`StreamOptions::epochs`], leaves its share to the
/// others.
pub struct DatasetMix {
    options: StreamOptions,
    members: Vec<Member>,
    delivered: u64,
    /// Where the sequence of members begins.
    offset: u64,
}

struct Member {
    name: String,
    weight: f64,
    stream: ExampleStream,
    delivered: u64,
    ended: bool,
    /// Puts the name before what its stream logs.
    span: tracing::Span,
}

impl Member {
    fn named(&self, source: DataError) -> DataError {
        DataError::Member {
            name: self.name.clone(),
            source: Box::new(source),
        }
    }
}

impl DatasetMix {
    /// A mixture at its beginning. Window, epochs and the number of unusable examples that are
    /// allowed are those of each member.
    ///
    /// # Errors
    /// [`DataError::Mix`] for members that make no mixture, [`DataError::Member`] for one whose
    /// files are not there.
    pub fn new(members: Vec<MixMember>, options: StreamOptions) -> Result<Self, DataError> {
        check(&members)?;
        let mut all = Vec::with_capacity(members.len());
        for (number, member) in (0u64..).zip(members) {
            // The same files in two members come in different orders.
            let seed = options.seed.wrapping_add(number << 32);
            let stream = member
                .dataset
                .expand()
                .and_then(|dataset| ExampleStream::new(dataset, StreamOptions { seed, ..options }));
            let stream = stream.map_err(|source| DataError::Member {
                name: member.name.clone(),
                source: Box::new(source),
            })?;
            all.push(Member {
                span: tracing::info_span!("dataset", name = member.name),
                name: member.name,
                weight: member.weight,
                stream,
                delivered: 0,
                ended: false,
            });
        }
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(options.rank as u64);
        Ok(Self {
            options,
            members: all,
            delivered: 0,
            offset: rng.next_u64(),
        })
    }

    /// The next example; `None` when all members have ended.
    ///
    /// # Errors
    /// [`DataError::Member`] with what [`ExampleStream::next_example`] says.
    pub fn next_example(&mut self) -> Result<Option<MixExample>, DataError> {
        while let Some(number) = self.choose() {
            let member = &mut self.members[number];
            let next = member.span.in_scope(|| member.stream.next_example());
            match next {
                Ok(Some(example)) => {
                    member.delivered += 1;
                    self.delivered += 1;
                    return Ok(Some(MixExample {
                        member: number,
                        number: self.delivered - 1,
                        example,
                    }));
                }
                Ok(None) => member.ended = true,
                Err(source) => return Err(member.named(source)),
            }
        }
        Ok(None)
    }

    /// The member whose turn it is, of those that have not ended.
    fn choose(&self) -> Option<usize> {
        let left = || {
            let members = self.members.iter().enumerate();
            members.filter(|(_, member)| !member.ended)
        };
        let total: f64 = left().map(|(_, member)| member.weight).sum();
        let point = self
            .offset
            .wrapping_add(self.delivered.wrapping_mul(GOLDEN));
        let mut point = point as f64 / 2f64.powi(64) * total;
        for (number, member) in left() {
            point -= member.weight;
            if point < 0.0 {
                return Some(number);
            }
        }
        // Rounding may leave a little behind the last one.
        left().next_back().map(|(number, _)| number)
    }

    /// Where the mixture stands: what it delivers next.
    pub fn position(&self) -> MixPosition {
        let members = self.members.iter();
        let members = members.map(|member| MemberPosition {
            name: member.name.clone(),
            delivered: member.delivered,
            ended: member.ended,
            stream: member.stream.position(),
        });
        MixPosition {
            delivered: self.delivered,
            members: members.collect(),
        }
    }

    /// Goes to a position of a mixture of the same members and options.
    ///
    /// # Errors
    /// [`MixError::Position`] for one of other members; otherwise as
    /// [`next_example`](Self::next_example).
    pub fn seek(&mut self, position: &MixPosition) -> Result<(), DataError> {
        let ours = || self.members.iter().map(|member| member.name.as_str());
        let theirs = || position.members.iter().map(|member| member.name.as_str());
        if !ours().eq(theirs()) {
            return Err(DataError::Mix(MixError::Position {
                found: theirs().collect::<Vec<_>>().join(", "),
                expected: ours().collect::<Vec<_>>().join(", "),
            }));
        }
        self.delivered = position.delivered;
        let mut result = Ok(());
        // All of them, for the mixture is at the position even if one fails there.
        for (member, place) in self.members.iter_mut().zip(&position.members) {
            member.delivered = place.delivered;
            member.ended = place.ended;
            let sought = member.span.in_scope(|| member.stream.seek(place.stream));
            result = result.and(sought.map_err(|source| member.named(source)));
        }
        result
    }

    /// Counts an example that was delivered and turned out to be unusable, and logs it.
    ///
    /// # Errors
    /// [`DatasetError::TooManyBad`](super::DatasetError::TooManyBad), with the member's name.
    ///
    /// # Panics
    /// When there is no such member.
    pub fn report(&mut self, member: usize, bad: &BadExample) -> Result<(), DataError> {
        let member = &mut self.members[member];
        let reported = member.span.in_scope(|| member.stream.report(bad));
        reported.map_err(|source| member.named(source))
    }

    /// What the members have given so far.
    pub fn members(&self) -> impl ExactSizeIterator<Item = MemberReport<'_>> {
        self.members.iter().map(|member| MemberReport {
            name: &member.name,
            delivered: member.delivered,
            bad: member.stream.bad(),
            epochs: member.stream.position().epoch() + u64::from(member.ended),
        })
    }

    /// Random numbers for the example of a number: the same in each run, others for each rank.
    pub fn rng(&self, number: u64) -> ChaCha8Rng {
        let mut seed = [0; 32];
        let parts = [self.options.seed, self.options.rank as u64, number];
        for (bytes, part) in seed.chunks_exact_mut(8).zip(parts) {
            bytes.copy_from_slice(&part.to_le_bytes());
        }
        ChaCha8Rng::from_seed(seed)
    }
}

fn check(members: &[MixMember]) -> Result<(), MixError> {
    if members.is_empty() {
        return Err(MixError::Empty);
    }
    for (number, MixMember { name, weight, .. }) in members.iter().enumerate() {
        if !(weight.is_finite() && *weight > 0.0) {
            return Err(MixError::Weight {
                name: name.clone(),
                weight: *weight,
            });
        }
        if members[..number].iter().any(|other| other.name == *name) {
            return Err(MixError::SameName { name: name.clone() });
        }
    }
    Ok(())
}
