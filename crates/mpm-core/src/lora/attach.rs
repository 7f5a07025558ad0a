//! Giving adapters to the layers of a model, and adding them to the weights.

use burn::{
    module::{Module, Param},
    tensor::{DType, backend::Backend},
};

use super::{Lora, LoraConfig, LoraError};
use crate::nn::{LinearLayers, LinearRole, LinearWeight, for_each_linear};

/// Gives an adapter to each linear layer whose path, as [`linear_paths`] lists it, is a target.
/// An adapter that was there is replaced.
///
/// # Errors
/// [`LoraError::NoTarget`] when none is.
pub fn attach<B, M>(
    model: M,
    config: LoraConfig,
    is_target: impl Fn(&str) -> bool,
) -> Result<M, LoraError>
where
    B: Backend,
    M: Module<B> + LinearLayers<B>,
{
    let mut attached = 0;
    let model = for_each_linear(model, |path, layer| {
        let LinearRole::Layer { lora, bound } = layer.role else {
            return;
        };
        if is_target(path) {
            let (shape, device) = (layer.weight.dims(), layer.weight.device());
            *lora = Some(Lora::new(config, shape, bound, &device));
            attached += 1;
        }
    });
    match attached {
        0 => Err(LoraError::NoTarget),
        _ => Ok(model),
    }
}

/// Adds all adapters to the weights of their layers, in f32 and back to the dtype of the weight.
/// The adapter of a quantized weight, whose steps are larger than what it adds, stays beside it.
pub fn merge<B, M>(model: M) -> M
where
    B: Backend,
    M: Module<B> + LinearLayers<B>,
{
    for_each_linear(model, |_, layer| {
        let (LinearRole::Layer { lora, .. }, LinearWeight::Float(parameter)) =
            (layer.role, layer.weight)
        else {
            return;
        };
        let Some(lora) = lora.take() else {
            return;
        };
        let weight = parameter.val();
        let dtype = weight.dtype();
        let merged = (weight.cast(DType::F32) + lora.delta()).cast(dtype);
        let (id, trains) = (parameter.id, parameter.is_require_grad());
        *parameter = Param::initialized(id, merged.detach().set_require_grad(trains));
    })
}

/// The paths of the linear layers of a model that can have adapters, in the order of
/// [`LinearLayers::visit_linear`].
pub fn linear_paths<B, M>(model: &M) -> Vec<String>
where
    B: Backend,
    M: Module<B> + LinearLayers<B>,
{
    let mut paths = Vec::new();
    for_each_linear(model.clone(), |path, layer| {
        if let LinearRole::Layer { .. } = layer.role {
            paths.push(path.to_owned());
        }
    });
    paths
}
