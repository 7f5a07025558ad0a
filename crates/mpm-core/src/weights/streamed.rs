//! Loading a model of which some layers stay in the file.

use burn::{module::Module, tensor::backend::Backend};

use super::{
    LoadOptions, StoredParameters, WeightFile, WeightsError,
    load::load_planned,
    parameters::parameters,
    plan::{Plan, plan},
    quantized_layers::prepare,
    stored_parameters::StoredParameter,
    value_source::ValueSource,
};
use crate::{
    nn::LinearLayers,
    streaming::{StreamedLayers, WaitingLayers},
};

/// Layers that are on the device for a moment: one computes, the next is read.
const PASSING: usize = 2;

/// As [`load_model`](super::load_model), for a model whose last layers wait in the file where
/// there is no room for them ([`LoadOptions::memory_limit`]).
///
/// # Errors
/// As [`load_model`](super::load_model), and [`WeightsError::MemoryLimit`] when the other
/// parameters and two layers need more; [`WeightsError::QuantizeWaiting`] when a layer would wait
/// that is to be quantized.
pub fn load_streamed<B, M>(
    model: M,
    file: &WeightFile,
    options: &LoadOptions,
) -> Result<M, WeightsError>
where
    B: Backend,
    M: Module<B> + LinearLayers<B> + StreamedLayers,
{
    let (mut model, to_quantize) = prepare(model, file, options)?;
    let expected = parameters(&model);
    let mut plan = plan(&expected, file, &options.keys, &to_quantize)?;
    if let Some(limit) = options.memory_limit {
        let layers = model.layer_list();
        let waiting = wait(&mut plan, file, options, &layers.path, layers.count, limit)?;
        *layers.waiting = WaitingLayers::new(waiting);
    }
    load_planned(model, file, options, plan)
}

/// Takes as many layers out of a plan as there is no room for, the last ones.
fn wait(
    plan: &mut Plan<'_>,
    file: &WeightFile,
    options: &LoadOptions,
    path: &str,
    count: usize,
    limit: u64,
) -> Result<Vec<StoredParameters>, WeightsError> {
    let size = |prefix: &str| -> u64 {
        let pairs = plan.iter().filter(|(path, _)| path.starts_with(prefix));
        let bytes = pairs.map(|(_, pair)| {
            let values: usize = pair.parameter.shape.iter().product();
            (values * pair.dtype(options.precision).size()) as u64
        });
        bytes.sum()
    };
    let all = size("");
    if all <= limit {
        return Ok(Vec::new());
    }
    let prefixes: Vec<_> = (0..count).map(|layer| format!("{path}.{layer}.")).collect();
    let layers: Vec<_> = prefixes.iter().map(|prefix| size(prefix)).collect();
    let largest = layers.iter().max().copied().unwrap_or(0);
    let needed = all - layers.iter().sum::<u64>() + PASSING as u64 * largest;
    let mut room = limit
        .checked_sub(needed)
        .ok_or_else(|| WeightsError::MemoryLimit {
            path: file.path().to_path_buf(),
            limit,
            needed,
        })?;
    let fits = layers.iter().take_while(|&&bytes| {
        let left = room.checked_sub(bytes);
        room = left.unwrap_or(room);
        left.is_some()
    });
    let resident = fits.count();
    prefixes[resident..]
        .iter()
        .map(|prefix| take(plan, file, options, prefix))
        .collect()
}

/// Takes the parameters of one layer out of a plan.
fn take(
    plan: &mut Plan<'_>,
    file: &WeightFile,
    options: &LoadOptions,
    prefix: &str,
) -> Result<StoredParameters, WeightsError> {
    let mut parameters = Vec::new();
    for (path, pair) in plan.extract_if(.., |path, _| path.starts_with(prefix)) {
        let dtype = pair.dtype(options.precision);
        let ValueSource::Stored(tensor) = pair.source else {
            return Err(WeightsError::QuantizeWaiting {
                path: file.path().to_path_buf(),
            });
        };
        parameters.push(StoredParameter {
            path: path[prefix.len()..]
                .split('.')
                .map(str::to_string)
                .collect(),
            tensor,
            dtype,
            shape: pair.parameter.shape.clone(),
        });
    }
    Ok(StoredParameters::new(file.path(), parameters))
}
