//! Which weights of a model are quantized, in a file or while they are loaded.

use std::collections::BTreeMap;

use burn::{module::Module, tensor::backend::Backend};

use super::{
    KeyMap, LoadOptions, StoredTensor, WeightFile, WeightsError,
    load::load_planned,
    parameters::parameters,
    plan::{ToQuantize, plan},
};
use crate::{
    nn::{LinearLayers, LinearWeight, for_each_linear},
    quantization::{Layout, QuantizationError, QuantizationScheme, QuantizedBits, QuantizedMatrix},
};

/// As [`load`](super::load), for a model that says which linear layers it has: those that are
/// quantized in the file stay so, and the others become so if the options ask for it.
///
/// # Errors
/// As [`load`](super::load), and [`WeightsError::Tensor`] for a weight that cannot be quantized.
pub fn load_model<B, M>(
    model: M,
    file: &WeightFile,
    options: &LoadOptions,
) -> Result<M, WeightsError>
where
    B: Backend,
    M: Module<B> + LinearLayers<B>,
{
    let (model, to_quantize) = prepare(model, file, options)?;
    let expected = parameters(&model);
    let plan = plan(&expected, file, &options.keys, &to_quantize)?;
    load_planned(model, file, options, plan)
}

/// Finds out whether [`load_model`] would find every parameter of `model` in `file`, without reading
/// any.
///
/// # Errors
/// [`WeightsError::Mismatch`] with everything that does not fit, and [`WeightsError::Tensor`] for
/// codes and scales that are not those of their layer.
pub fn check_model<B, M>(
    model: M,
    file: &WeightFile,
    options: &LoadOptions,
) -> Result<(), WeightsError>
where
    B: Backend,
    M: Module<B> + LinearLayers<B>,
{
    let (model, to_quantize) = prepare(model, file, options)?;
    let expected = parameters(&model);
    plan(&expected, file, &options.keys, &to_quantize).map(drop)
}

/// Gives the linear layers of a model that is to be loaded the form that [`load_model`] says. Also
/// returns which tensors are quantized for that.
pub(super) fn prepare<B, M>(
    model: M,
    file: &WeightFile,
    options: &LoadOptions,
) -> Result<(M, ToQuantize), WeightsError>
where
    B: Backend,
    M: Module<B> + LinearLayers<B>,
{
    let schemes = options
        .quantization
        .map(|scheme| quantized_tensors(&model, &options.keys, scheme))
        .unwrap_or_default();
    let (mut to_quantize, mut failed) = (ToQuantize::new(), None);
    let model = for_each_linear(model, |path, layer| {
        let key = options.keys.to_file(&format!("{path}.weight"));
        let (dims, device) = (layer.weight.dims(), layer.weight.device());
        let stored = stored_scheme(file, &key, dims).transpose();
        let scheme = stored.or_else(|| {
            let scheme = *schemes.get(&key)?;
            to_quantize.insert(key.clone(), (scheme, dims));
            Some(Ok(scheme))
        });
        let matrix = scheme.map(|scheme| QuantizedMatrix::unread(scheme?, dims, &device));
        match matrix.transpose() {
            Ok(Some(matrix)) => *layer.weight = LinearWeight::Quantized(matrix),
            Ok(None) => {}
            Err(error) => {
                failed = failed.take().or(Some(WeightsError::Tensor {
                    path: file.path().to_path_buf(),
                    key,
                    reason: error.to_string(),
                }));
            }
        }
    });
    failed.map_or(Ok((model, to_quantize)), Err)
}

/// How a file has a weight of this height and width quantized; `None` where it does not.
fn stored_scheme(
    file: &WeightFile,
    key: &str,
    [_, d_in]: [usize; 2],
) -> Result<Option<QuantizationScheme>, QuantizationError> {
    let part = |name| file.tensors().get(&format!("{key}.{name}"));
    let (Some(codes), Some(scales)) = (part("codes"), part("scales")) else {
        return Ok(None);
    };
    let matrix = |tensor: &StoredTensor| {
        let shape = tensor.shape().to_vec();
        let dims = <[usize; 2]>::try_from(tensor.shape());
        dims.map_err(|_| QuantizationError::NotMatrix { shape })
    };
    let layout = Layout::infer(matrix(codes)?, matrix(scales)?, d_in)?;
    Ok(layout.scheme())
}

/// The tensors, by their names in a file, that are quantized when a model is, and how. Layers
/// whose width does not suit the scheme are left out.
///
/// Layers get [`fewest_bits`](crate::nn::LinearLayer::fewest_bits) where that is more.
pub fn quantized_tensors<B, M>(
    model: &M,
    keys: &KeyMap,
    scheme: QuantizationScheme,
) -> BTreeMap<String, QuantizationScheme>
where
    B: Backend,
    M: Module<B> + LinearLayers<B>,
{
    let mut tensors = BTreeMap::new();
    for_each_linear(model.clone(), |path, layer| {
        let scheme = match layer.fewest_bits {
            QuantizedBits::Int4 => scheme,
            QuantizedBits::Int8 => in_8_bits(scheme),
        };
        if Layout::new(scheme, layer.weight.dims()).is_ok() {
            tensors.insert(keys.to_file(&format!("{path}.weight")), scheme);
        }
    });
    tensors
}

fn in_8_bits(scheme: QuantizationScheme) -> QuantizationScheme {
    let scheme = QuantizationScheme::new(QuantizedBits::Int8, scheme.block());
    scheme.unwrap_or(QuantizationScheme::INT8)
}
