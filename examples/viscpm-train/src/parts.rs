//! Parts of a model that come from files of their own, or start anew.

use burn::{
    module::Module,
    tensor::{DType, backend::Backend},
};
use mpm_core::weights::{self, LoadOptions, Precision, WeightFile};
use mpm_train::{
    BoxError, ComputePrecision,
    pattern::PathPattern,
    recipe::{ModelConfig, Recipe},
};

use crate::RunError;

/// How the weights of a recipe's model are loaded: in the precision to compute in, so that
/// frozen parts never take more memory. What trains is widened by the trainer.
pub fn load_options(recipe: &Recipe) -> LoadOptions {
    let dtype = match recipe.precision {
        ComputePrecision::F32 => DType::F32,
        ComputePrecision::F16 => DType::F16,
        ComputePrecision::Bf16 => DType::BF16,
    };
    LoadOptions {
        precision: Precision::Cast(dtype),
        ..LoadOptions::default()
    }
}

/// Replaces a part's weights by those of a file of its own, if the recipe names one.
///
/// # Errors
/// [`mpm_core::weights::WeightsError`] when the file is not the part's.
pub fn load_part<B: Backend, M: Module<B>>(
    part: M,
    name: &str,
    recipe: &Recipe,
) -> Result<M, BoxError> {
    let Some(path) = recipe.model.weights.get(name) else {
        return Ok(part);
    };
    let file = WeightFile::open(path)?;
    Ok(weights::load(part, &file, &load_options(recipe))?)
}

/// Checks that the recipe names no other parts.
///
/// # Errors
/// [`RunError::UnknownPart`].
pub fn check_parts(
    config: &ModelConfig,
    known: &[&str],
    listed: &'static str,
) -> Result<(), RunError> {
    match config
        .weights
        .keys()
        .find(|name| !known.contains(&name.as_str()))
    {
        None => Ok(()),
        Some(part) => Err(RunError::UnknownPart {
            part: part.clone(),
            known: listed,
        }),
    }
}

/// The model with the parameters that start anew taken from a `fresh` one, whose values are drawn
/// by the recipe's seed.
///
/// # Errors
/// When a pattern matches no parameter.
pub fn start_anew<B: Backend, M: Module<B>>(
    model: M,
    fresh: &M,
    recipe: &Recipe,
) -> Result<M, BoxError> {
    let random = &recipe.model.random;
    if random.is_empty() {
        return Ok(model);
    }
    for device in model.devices() {
        B::seed(&device, recipe.seed);
    }
    let patterns: Vec<_> = random.iter().map(PathPattern::new).collect();
    let parameters = mpm_train::pattern::parameters::<B, _>(&model);
    mpm_train::pattern::require_matches(&patterns, &parameters)?;
    let is_random = |path: &str| patterns.iter().any(|pattern| pattern.matches(path));
    Ok(weights::copy_where(model, fresh, is_random)?)
}
