//! The linear layers of a model, and what is done to all of them.

use std::collections::HashMap;

use burn::{
    module::{Module, ModuleVisitor, Param, ParamId},
    tensor::{DType, Tensor, backend::Backend},
};

use super::{Lora, LoraConfig, LoraError};
use crate::module_path::ModulePath;

/// A linear layer, as adapters see it.
pub struct LinearLayer<'a, B: Backend> {
    /// `[d_out, d_in]`
    pub weight: &'a mut Param<Tensor<B, 2>>,
    /// Its adapter.
    pub lora: &'a mut Option<Lora<B>>,
    /// The bound of the values that the adapter's `A` begins with: what makes its products as
    /// large as those of a new weight.
    pub bound: f64,
}

/// A module that can say which linear layers it has.
///
/// [`linear_layers!`](crate::linear_layers) writes it for a module of such modules.
pub trait LinearLayers<B: Backend> {
    /// Calls `visit` with each linear layer, always in the same order.
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>));
}

impl<B: Backend, M: LinearLayers<B>> LinearLayers<B> for Option<M> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        self.iter_mut()
            .for_each(|module| module.visit_linear(visit));
    }
}

impl<B: Backend, M: LinearLayers<B>> LinearLayers<B> for Vec<M> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        self.iter_mut()
            .for_each(|module| module.visit_linear(visit));
    }
}

/// Writes [`LinearLayers`] for a module, from those of its fields that have linear layers:
/// `linear_layers!(Attention { project_q, project_k, to_out.0 });`
#[macro_export]
macro_rules! linear_layers {
    ($module:ident { $($($field:tt).+),+ $(,)? }) => {
        impl<B: ::burn::tensor::backend::Backend> $crate::lora::LinearLayers<B> for $module<B> {
            fn visit_linear(
                &mut self,
                visit: &mut dyn FnMut($crate::lora::LinearLayer<'_, B>),
            ) {
                $($crate::lora::LinearLayers::visit_linear(&mut self.$($field).+, visit);)+
            }
        }
    };
}

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
    let model = for_each(model, |path, layer| {
        if !is_target(path) {
            return;
        }
        let shape = layer.weight.lazy_shape().dims();
        let device = layer.weight.lazy_device();
        *layer.lora = Some(Lora::new(config, shape, layer.bound, &device));
        attached += 1;
    });
    match attached {
        0 => Err(LoraError::NoTarget),
        _ => Ok(model),
    }
}

/// Adds all adapters to the weights of their layers, in f32 and back to the dtype of the weight.
pub fn merge<B, M>(model: M) -> M
where
    B: Backend,
    M: Module<B> + LinearLayers<B>,
{
    for_each(model, |_, layer| {
        let Some(lora) = layer.lora.take() else {
            return;
        };
        let weight = layer.weight.val();
        let dtype = weight.dtype();
        let merged = (weight.cast(DType::F32) + lora.delta()).cast(dtype);
        let (id, trains) = (layer.weight.id, layer.weight.is_require_grad());
        *layer.weight = Param::initialized(id, merged.detach().set_require_grad(trains));
    })
}

/// The paths of a model's linear layers, in the order of [`LinearLayers::visit_linear`].
pub fn linear_paths<B, M>(model: &M) -> Vec<String>
where
    B: Backend,
    M: Module<B> + LinearLayers<B>,
{
    let mut paths = Vec::new();
    for_each(model.clone(), |path, _| paths.push(path.to_owned()));
    paths
}

/// Calls `change` with the path of each linear layer and the layer.
pub(super) fn for_each<B, M>(mut model: M, mut change: impl FnMut(&str, LinearLayer<'_, B>)) -> M
where
    B: Backend,
    M: Module<B> + LinearLayers<B>,
{
    let mut weights = Weights::default();
    model.visit(&mut weights);
    model.visit_linear(&mut |layer| {
        if let Some(path) = weights.paths.get(&layer.weight.id) {
            change(path, layer);
        }
    });
    model
}

/// The paths of the layers that weights belong to.
#[derive(Default)]
struct Weights {
    path: ModulePath,
    paths: HashMap<ParamId, String>,
}

impl<B: Backend> ModuleVisitor<B> for Weights {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, container_type: &str) {
        self.path.exit(container_type);
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        if let Some((_weight, layer)) = self.path.names().split_last() {
            self.paths.insert(param.id, layer.join("."));
        }
    }
}
