//! What is learnt from.

use std::num::NonZeroUsize;

use mpm_data::dataset::{CaptionCleaning, CaptionPrompts};
use serde::{Deserialize, Serialize};

pub use mpm_data::dataset::MixMember;

use crate::TrainError;

/// What is learnt from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DataConfig {
    /// The data sets, and how much of each.
    pub mix: Vec<MixMember>,
    /// Examples that are held to be delivered in random order, of each data set.
    pub window: NonZeroUsize,
    /// Unusable examples of a data set after which the run stops.
    pub max_bad: u64,
    /// Examples with more tokens are unusable; `None` takes the model's limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// Threads that decode pictures; `None` takes all cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<NonZeroUsize>,
    /// How pictures are changed in training.
    pub augmentation: AugmentationConfig,
    /// How captions are cleaned; `None` leaves them as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cleaning: Option<CaptionCleaning>,
    /// What asks for captions, by language.
    pub prompts: CaptionPrompts,
}

impl Default for DataConfig {
    fn default() -> Self {
        const WINDOW: NonZeroUsize = NonZeroUsize::new(1_000).unwrap();
        Self {
            mix: Vec::new(),
            window: WINDOW,
            max_bad: 100,
            max_tokens: None,
            threads: None,
            augmentation: AugmentationConfig::None,
            cleaning: None,
            prompts: CaptionPrompts::default(),
        }
    }
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

/// What is measured before each checkpoint: the loss on examples of its own, always the same. The
/// seed orders the files of a data set; those of a file come in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluationConfig {
    /// The data sets, and how much of each.
    pub mix: Vec<MixMember>,
    /// How many samples are measured. Data sets that have fewer are read again.
    pub samples: NonZeroUsize,
}

/// Checks the shares of a mixture.
///
/// # Errors
/// [`TrainError::Setting`] for one without members, or with a weight that makes no share.
pub(super) fn check_mix(mix: &[MixMember]) -> Result<(), TrainError> {
    let setting = |name, value, expected| {
        Err(TrainError::Setting {
            name,
            value,
            expected,
        })
    };
    if mix.is_empty() {
        let expected = "a list of at least one data set";
        return setting("data.mix", "empty".to_owned(), expected);
    }
    let is_share = |member: &&MixMember| member.weight.is_finite() && member.weight > 0.0;
    match mix.iter().find(|member| !is_share(member)) {
        Some(MixMember { name, weight, .. }) => {
            let value = format!("{weight} for `{name}`");
            setting("data.mix.weight", value, "finite and positive")
        }
        None => Ok(()),
    }
}
