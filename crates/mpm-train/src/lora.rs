//! Adapters of low rank for the layers that patterns choose.

use std::num::NonZeroUsize;

use burn::module::Module;
use burn::tensor::backend::Backend;
use mpm_core::{
    lora::{self, LoraConfig},
    nn::LinearLayers,
};
use serde::{Deserialize, Serialize};

use crate::TrainError;
use crate::freeze::ParameterTable;
use crate::pattern::{PathPattern, require_some};

/// The pattern of adapters' parameters.
const ADAPTERS: &str = "**.lora";

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

/// Whether the adapters are all that trains of a model that has some: they alone are the result
/// then, beside a model that anybody has.
///
/// # Errors
/// [`TrainError::AdaptersFrozen`] when none of them trains.
pub fn only_adapters_train(parameters: &ParameterTable) -> Result<bool, TrainError> {
    let pattern = PathPattern::new(ADAPTERS);
    let rows = parameters.trainable();
    let (adapters, others): (Vec<_>, Vec<_>) = rows.partition(|row| pattern.matches(&row.path));
    match adapters.is_empty() {
        true => Err(TrainError::AdaptersFrozen),
        false => Ok(others.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use burn::module::ParamId;
    use burn::tensor::DType;

    use super::*;
    use crate::pattern::ParameterInfo;

    /// A table of parameters, of which those with a star train.
    fn table(paths: &[&str]) -> ParameterTable {
        let rows = paths.iter().map(|path| ParameterInfo {
            path: path.trim_end_matches('*').to_owned(),
            shape: vec![2],
            dtype: DType::F32,
            trainable: path.ends_with('*'),
            id: ParamId::new(),
        });
        ParameterTable {
            rows: rows.collect(),
        }
    }

    #[test]
    fn it_is_told_whether_adapters_are_the_whole_result() {
        let only = |paths: &[&str]| only_adapters_train(&table(paths));
        assert!(only(&["llm.q.weight", "llm.q.lora.a*", "llm.q.lora.b*"]).unwrap());
        assert!(!only(&["llm.q.weight", "llm.q.lora.a*", "llm.norm.weight*"]).unwrap());
        // A module may be called nearly the same.
        for frozen in [
            &["llm.lora_norm.weight*"][..],
            &["llm.q.lora.a", "visual.query*"],
        ] {
            let error = only(frozen).unwrap_err();
            assert!(matches!(error, TrainError::AdaptersFrozen), "{error}");
        }
    }
}
