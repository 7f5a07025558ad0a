//! Frozen parameters that checkpoints leave out, because they have a file of their own.

use std::collections::BTreeMap;

use burn::module::AutodiffModule;
use burn::store::{BurnToPyTorchAdapter, ModuleSnapshot};
use burn::tensor::backend::AutodiffBackend;

use crate::TrainError;
use crate::pattern::{PathPattern, parameters, require_matches};

/// The parameters that are left out.
#[derive(Debug, Clone, Default)]
pub(crate) struct LeftOut {
    patterns: Vec<PathPattern>,
    /// CRC-32 of each: those that come with the model must be the same after a resume.
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
        for pattern in &patterns {
            let trainable = parameters.iter().filter(|parameter| parameter.trainable);
            if let Some(parameter) = trainable.into_iter().find(|it| pattern.matches(&it.path)) {
                return Err(TrainError::LeavesOutTrainable {
                    pattern: pattern.as_str().to_owned(),
                    parameter: parameter.path.clone(),
                });
            }
        }
        let mut left_out = Self {
            patterns,
            checksums: BTreeMap::new(),
        };
        for snapshot in model.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true) {
            let path = snapshot.full_path();
            if left_out.contains(&path) {
                let data = snapshot.to_data().map_err(|error| TrainError::Parameter {
                    path: path.clone(),
                    reason: error.to_string(),
                })?;
                left_out
                    .checksums
                    .insert(path, crc32fast::hash(data.as_bytes()));
            }
        }
        Ok(left_out)
    }

    /// Whether the parameter of this name is left out.
    pub fn contains(&self, path: &str) -> bool {
        self.patterns.iter().any(|pattern| pattern.matches(path))
    }
}
