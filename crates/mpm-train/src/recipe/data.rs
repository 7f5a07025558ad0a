//! What is learnt from.

use std::num::NonZeroUsize;

pub use mpm_data::dataset::MixMember;
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// What is learnt from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    /// The data sets, and how much of each.
    pub mix: Vec<MixMember>,
    /// Examples that are held to be delivered in random order, of each data set.
    #[serde(default = "thousand")]
    pub window: NonZeroUsize,
    /// Unusable examples of a data set after which the run stops.
    #[serde(default = "hundred")]
    pub max_bad: u64,
    /// Examples with more tokens are unusable; `None` takes the model's limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// Threads that decode pictures; `None` takes all cores.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<NonZeroUsize>,
    /// How pictures are changed in training.
    #[serde(default)]
    pub augmentation: AugmentationConfig,
}

/// How pictures are changed in training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AugmentationConfig {
    /// They are only brought to the model's size.
    #[default]
    None,
    /// Random crops and changes of tone, as in VisCPM's training.
    Randaugment,
}

/// What is measured before each checkpoint: the loss on examples of its own, in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationConfig {
    /// The data sets, and how much of each.
    pub mix: Vec<MixMember>,
    /// How many samples are measured.
    pub samples: NonZeroUsize,
}

fn thousand() -> NonZeroUsize {
    const THOUSAND: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();
    THOUSAND
}

fn hundred() -> u64 {
    100
}

impl DataConfig {
    /// Checks the ranges of all settings.
    ///
    /// # Errors
    /// [`TrainError::Setting`] names the first one that is out of range.
    pub fn validate(&self) -> Result<(), TrainError> {
        let bad = self
            .mix
            .iter()
            .find(|member| !(member.weight.is_finite() && member.weight > 0.0));
        let (value, expected) = match bad {
            Some(member) => (
                format!("{} for `{}`", member.weight, member.name),
                "finite and positive",
            ),
            None if self.mix.is_empty() => ("empty".to_owned(), "a list of at least one data set"),
            None => return Ok(()),
        };
        Err(TrainError::Setting {
            name: if bad.is_some() {
                "data.mix.weight"
            } else {
                "data.mix"
            },
            value,
            expected,
        })
    }
}
