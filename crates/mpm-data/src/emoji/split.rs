//! Which pictures are trained on, and which are kept for evaluation.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::{Concept, Naming, Style, StyleFamily};

/// The part of the set that a picture belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Split {
    /// Pictures and words may be trained on.
    Train,
    /// The concept is trained on in other styles, this drawing of it is not.
    HeldOutPair,
    /// The concept's words may be trained on, none of its pictures.
    TextOnly,
}

/// The share of (name, style family) pairs that are held out, before the limits
/// of [`Splits`].
const HELD_OUT_SHARE: f64 = 0.17;

/// The share of names without any picture in training.
const TEXT_ONLY_SHARE: f64 = 0.05;

/// How many style families each name keeps for training at least.
const KEPT_FAMILIES: usize = 2;

/// The assignment of all pairs.
///
/// The unit is a *name* (see [`Naming`]; a concept without a clean name stands
/// for itself) in a *style family*: dog and dog face are both called "dog", so
/// they are held out together, and so are both Fluent styles. A picture of the
/// held-out part therefore shows a thing as no training picture of that hand
/// does.
///
/// - A name is text-only when the hash of `NAME/text-only` falls into the first
///   5 %; NAME is the id of its first concept.
/// - Otherwise its families are sorted by the hash of `NAME/FAMILY`, and those
///   whose hash falls into the first 17 % are held out, as long as two families
///   of each of its concepts are left for training.
///
/// The hash is the first eight bytes of SHA-256, big-endian. It does not depend
/// on the order or number of the concepts, so that a larger set keeps the
/// assignment of the smaller one.
#[derive(Clone, Debug)]
pub(super) struct Splits {
    text_only: BTreeSet<usize>,
    held_out: BTreeSet<(usize, StyleFamily)>,
}

impl Splits {
    pub(super) fn new(concepts: &[Concept], naming: &Naming) -> Self {
        let mut units: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, concept) in concepts.iter().enumerate() {
            let unit = naming
                .class_of(index)
                .map_or(index, |class| class.concepts()[0]);
            let unit = concepts.get(unit).unwrap_or(concept);
            units.entry(&unit.id).or_default().push(index);
        }
        let mut splits = Self {
            text_only: BTreeSet::new(),
            held_out: BTreeSet::new(),
        };
        for (id, members) in units {
            if hash(&format!("{id}/text-only")) < TEXT_ONLY_SHARE {
                splits.text_only.extend(members);
            } else {
                splits.hold_out(id, &members, concepts);
            }
        }
        splits
    }

    /// Holds out families of one name, the lowest hash first.
    fn hold_out(&mut self, id: &str, members: &[usize], concepts: &[Concept]) {
        let families = |index: usize| -> BTreeSet<StyleFamily> {
            concepts[index]
                .styles
                .iter()
                .map(|style| style.family())
                .collect()
        };
        let mut left: Vec<_> = members.iter().map(|&index| families(index)).collect();
        let all: BTreeSet<_> = left.iter().flatten().copied().collect();
        let mut hashed: Vec<_> = all
            .into_iter()
            .map(|family| (hash(&format!("{id}/{}", family.name())), family))
            .filter(|(hash, _)| *hash < HELD_OUT_SHARE)
            .collect();
        hashed.sort_by(|a, b| a.0.total_cmp(&b.0));
        for (_, family) in hashed {
            let enough = left.iter().all(|families| {
                families.len() - usize::from(families.contains(&family)) >= KEPT_FAMILIES
            });
            if enough {
                for families in &mut left {
                    families.remove(&family);
                }
                self.held_out
                    .extend(members.iter().map(|&index| (index, family)));
            }
        }
    }

    /// The part of a pair.
    pub(super) fn of(&self, concept: usize, style: Style) -> Split {
        if self.text_only.contains(&concept) {
            Split::TextOnly
        } else if self.held_out.contains(&(concept, style.family())) {
            Split::HeldOutPair
        } else {
            Split::Train
        }
    }
}

/// A number from 0 up to 1 that depends on the text alone.
fn hash(text: &str) -> f64 {
    let digest = Sha256::digest(text.as_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first) as f64 / 2f64.powi(64)
}
