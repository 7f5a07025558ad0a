//! Adapters of low rank for the layers that patterns choose.

use std::num::NonZeroUsize;

use burn::module::Module;
use burn::tensor::backend::Backend;
use mpm_core::lora::{self, LinearLayers, LoraConfig};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::pattern::{PathPattern, require_some};

/// Which linear layers get adapters, and of which size.
///
/// Source: "LoRA: Low-Rank Adaptation of Large Language Models",
/// <https://arxiv.org/abs/2106.09685>; see [`mpm_core::lora`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoraTargets {
    /// Rows of one matrix of an adapter, and columns of the other: how much it can learn.
    pub rank: NonZeroUsize,
    /// Adapters weigh `alpha / rank`.
    pub alpha: f64,
    /// Patterns of linear layers, or of modules whose linear layers are meant.
    pub targets: Vec<String>,
}

impl LoraTargets {
    /// The size of the adapters.
    pub fn config(&self) -> LoraConfig {
        LoraConfig {
            rank: self.rank,
            alpha: self.alpha,
        }
    }

    /// Checks the ranges of all settings.
    ///
    /// # Errors
    /// [`TrainError::Setting`].
    pub fn validate(&self) -> Result<(), TrainError> {
        let setting = |name, value, expected| {
            Err(TrainError::Setting {
                name,
                value,
                expected,
            })
        };
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            let expected = "finite and positive";
            return setting("lora.alpha", self.alpha.to_string(), expected);
        }
        if self.targets.is_empty() {
            let expected = "a list of at least one pattern, such as \"llm.**.project_q\"";
            return setting("lora.targets", "empty".to_owned(), expected);
        }
        Ok(())
    }

    /// Gives adapters to the chosen layers. They change nothing before they are trained; their
    /// values are drawn by the backend's random numbers.
    ///
    /// # Errors
    /// [`TrainError::PatternUnused`] for a pattern that matches no linear layer.
    pub fn attach<B, M>(&self, model: M) -> Result<M, TrainError>
    where
        B: Backend,
        M: Module<B> + LinearLayers<B>,
    {
        let patterns: Vec<_> = self.targets.iter().map(PathPattern::new).collect();
        require_some(&patterns, "linear layer", &lora::linear_paths(&model))?;
        let is_target = |path: &str| patterns.iter().any(|pattern| pattern.matches(path));
        Ok(lora::attach(model, self.config(), is_target)?)
    }
}
