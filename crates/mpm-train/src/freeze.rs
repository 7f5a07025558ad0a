//! Which parameters train.
//!
//! Frozen parameters get no gradient, so no optimizer touches them (not even
//! with weight decay), while gradients still flow through their modules to what
//! lies below.

use std::fmt;

use burn::module::{AutodiffModule, ModuleMapper, Param};
use burn::tensor::{Tensor, backend::AutodiffBackend};
use mpm_core::module_path::ModulePath;

use crate::TrainError;
use crate::pattern::{ParameterInfo, PathPattern, parameters, require_matches};

/// Freezes all parameters that match one of the patterns; the others stay as
/// they are.
///
/// # Errors
/// [`TrainError::PatternUnused`] when a pattern matches no parameter.
pub fn freeze<B, M>(model: M, patterns: &[PathPattern]) -> Result<M, TrainError>
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
{
    require_matches(patterns, &parameters::<B, M>(&model))?;
    Ok(model.map(&mut Setter {
        path: ModulePath::default(),
        decide: |path: &str| matches_any(patterns, path).then_some(false),
    }))
}

/// Makes the parameters that match one of the patterns trainable and freezes
/// all others.
///
/// # Errors
/// [`TrainError::PatternUnused`] when a pattern matches no parameter.
pub fn train_only<B, M>(model: M, patterns: &[PathPattern]) -> Result<M, TrainError>
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
{
    require_matches(patterns, &parameters::<B, M>(&model))?;
    Ok(model.map(&mut Setter {
        path: ModulePath::default(),
        decide: |path: &str| Some(matches_any(patterns, path)),
    }))
}

fn matches_any(patterns: &[PathPattern], path: &str) -> bool {
    patterns.iter().any(|pattern| pattern.matches(path))
}

struct Setter<F> {
    path: ModulePath,
    /// From a path to whether the parameter trains, `None` to leave it.
    decide: F,
}

impl<B: AutodiffBackend, F: Fn(&str) -> Option<bool>> ModuleMapper<B> for Setter<F> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.path.exit(container_type);
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        match (self.decide)(&self.path.to_string()) {
            Some(trainable) => param.set_require_grad(trainable),
            None => param,
        }
    }
}

/// All parameters of a model with their shapes and whether they train; its
/// [`Display`](fmt::Display) is a table for people.
#[derive(Debug, Clone)]
pub struct ParameterTable {
    /// The parameters in the order of the module tree.
    pub rows: Vec<ParameterInfo>,
}

impl ParameterTable {
    /// Lists the parameters of a model.
    pub fn new<B: AutodiffBackend, M: AutodiffModule<B>>(model: &M) -> Self {
        Self {
            rows: parameters(model),
        }
    }

    /// The parameters that train.
    pub fn trainable(&self) -> impl Iterator<Item = &ParameterInfo> {
        self.rows.iter().filter(|row| row.trainable)
    }

    /// The table with a line for all parameters that differ by the numbers in their paths only,
    /// such as those of a model's layers.
    pub fn by_layer(&self) -> String {
        let mut lines: Vec<(bool, String, &[usize], usize)> = Vec::new();
        for row in &self.rows {
            let names = row.path.split('.');
            let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
            let names = names.map(|name| if is_number(name) { "*" } else { name });
            let path = names.collect::<Vec<_>>().join(".");
            let line = lines.iter_mut().find(|(trainable, known, shape, _)| {
                (*trainable, known.as_str(), *shape) == (row.trainable, &*path, &*row.shape)
            });
            match line {
                Some((.., count)) => *count += 1,
                None => lines.push((row.trainable, path, &row.shape, 1)),
            }
        }
        let width = lines.iter().map(|(_, path, ..)| path.len()).max();
        let width = width.unwrap_or_default();
        let mut text = String::new();
        for (trainable, path, shape, count) in lines {
            let state = state(trainable);
            text.push_str(&format!("{state}  {count:>4} x {path:width$}  {shape:?}\n"));
        }
        text + &self.totals()
    }

    /// How many numbers train and how many are frozen, in a line.
    pub fn totals(&self) -> String {
        let trainable: usize = self.trainable().map(ParameterInfo::elements).sum();
        let frozen: usize = self.frozen().map(ParameterInfo::elements).sum();
        format!("{trainable} trainable and {frozen} frozen elements")
    }

    /// The parameters that do not train.
    pub fn frozen(&self) -> impl Iterator<Item = &ParameterInfo> {
        self.rows.iter().filter(|row| !row.trainable)
    }
}

impl fmt::Display for ParameterTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.rows.iter().map(|row| row.path.len()).max();
        let width = width.unwrap_or_default();
        for row in &self.rows {
            let state = state(row.trainable);
            writeln!(f, "{state}  {:width$}  {:?}", row.path, row.shape)?;
        }
        f.write_str(&self.totals())
    }
}

fn state(trainable: bool) -> &'static str {
    if trainable { "trains" } else { "frozen" }
}
