//! Frozen parameters that checkpoints leave out, because they have a file of their own.

use std::collections::{BTreeMap, BTreeSet};

use burn::module::AutodiffModule;
use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot, TensorSnapshot};
use burn::tensor::backend::AutodiffBackend;

use crate::TrainError;
use crate::pattern::{ParameterInfo, PathPattern, parameters, require_matches};

/// The parameters that are left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct LeftOut {
    /// CRC-32 of each, by its name in checkpoints: those that come with the model must be the
    /// same after a resume.
    pub checksums: BTreeMap<String, u32>,
}

impl LeftOut {
    /// Leaves out the frozen parameters of a model that match.
    ///
    /// # Errors
    /// [`TrainError::PatternUnused`] for a pattern without a match,
    /// [`TrainError::LeavesOutTrainable`] for one that matches what trains.
    pub fn new<B, M>(patterns: &[String], model: &M) -> Result<Self, TrainError>
    where
        B: AutodiffBackend,
        M: AutodiffModule<B>,
    {
        let patterns: Vec<_> = patterns.iter().map(PathPattern::new).collect();
        if patterns.is_empty() {
            return Ok(Self::default());
        }
        let parameters = parameters::<B, M>(model);
        require_matches(&patterns, &parameters)?;
        let frozen = matching_frozen(&patterns, &parameters)?;
        // Patterns are about the model's own names. Checkpoints have PyTorch's for some of them,
        // such as `weight` for the `gamma` of a norm.
        let own = model.collect(None, None, true);
        let stored = model.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true);
        let mut checksums = BTreeMap::new();
        for (own, stored) in own.iter().zip(&stored) {
            if frozen.contains(own.full_path().as_str()) {
                checksums.insert(stored.full_path(), checksum(stored)?);
            }
        }
        Ok(Self { checksums })
    }

    /// Whether the parameter of this name in checkpoints is left out.
    pub fn contains(&self, name: &str) -> bool {
        self.checksums.contains_key(name)
    }
}

/// The paths of the parameters that match.
fn matching_frozen<'a>(
    patterns: &[PathPattern],
    parameters: &'a [ParameterInfo],
) -> Result<BTreeSet<&'a str>, TrainError> {
    let mut frozen = BTreeSet::new();
    for parameter in parameters {
        let path = parameter.path.as_str();
        match patterns.iter().find(|pattern| pattern.matches(path)) {
            Some(pattern) if parameter.trainable => {
                return Err(TrainError::LeavesOutTrainable {
                    pattern: pattern.as_str().to_owned(),
                    parameter: path.to_owned(),
                });
            }
            Some(_) => {
                frozen.insert(path);
            }
            None => {}
        }
    }
    Ok(frozen)
}

fn checksum(parameter: &TensorSnapshot) -> Result<u32, TrainError> {
    let data = parameter.to_data().map_err(|error| TrainError::Parameter {
        path: parameter.full_path(),
        reason: error.to_string(),
    })?;
    Ok(crc32fast::hash(data.as_bytes()))
}
