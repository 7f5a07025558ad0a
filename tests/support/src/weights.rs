//! Filling a module with a case's weights.

use burn::{module::Module, tensor::backend::Backend};
use mpm_core::weights::{self, KeyMap, LoadOptions};

use crate::Case;

/// Loads the weights below `branch` into `module`: exactly its parameters, no more and no less.
///
/// # Panics
/// As [`load`].
pub fn load_branch<B: Backend, M: Module<B>>(module: M, case: &Case, branch: &str) -> M {
    load(module, case, &[branch], KeyMap::new().rename(branch, ""))
}

/// Loads the weights below `branches` into `module`, where `keys` leads from their names to its
/// parameters and tells which of them it does without.
///
/// Linear weights are transposed and norms renamed from PyTorch's conventions to Burn's. The
/// dtype stays as stored.
///
/// # Panics
/// When a parameter is not in the case, a weight of `branches` fills none, or shapes differ.
pub fn load<B: Backend, M: Module<B>>(
    module: M,
    case: &Case,
    branches: &[&str],
    keys: KeyMap,
) -> M {
    let elsewhere = case
        .names()
        .filter(|name| !branches.iter().any(|branch| lies_below(name, branch)));
    let options = LoadOptions {
        keys: elsewhere.fold(keys, KeyMap::unused),
        ..LoadOptions::default()
    };
    weights::load(module, case.file(), &options)
        .unwrap_or_else(|error| panic!("the weights of {}: {error}", case.name))
}

/// Whether `name` is `branch` or begins with `branch` and a dot.
fn lies_below(name: &str, branch: &str) -> bool {
    name.strip_prefix(branch)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}
