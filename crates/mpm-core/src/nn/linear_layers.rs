//! The linear layers of a model, and what is done to all of them.

use std::collections::HashMap;

use burn::{
    module::{Module, ModuleVisitor, Param, ParamId},
    tensor::{Tensor, backend::Backend},
};

use super::LinearWeight;
use crate::{lora::Lora, module_path::ModulePath, quantization::QuantizedBits};

/// A linear layer, as what is done to all of them sees it.
pub struct LinearLayer<'a, B: Backend> {
    /// `[d_out, d_in]`
    pub weight: &'a mut LinearWeight<B>,
    /// What the layer is beside its weight.
    pub role: LinearRole<'a, B>,
    /// The fewest bits that its weight is quantized to when a model is: more than 4 where a few
    /// layers decide much, or are read seldom.
    pub fewest_bits: QuantizedBits,
}

impl<B: Backend> LinearLayer<'_, B> {
    /// The same layer, for a module whose weights are to have 8 bits at least.
    #[must_use]
    pub fn in_8_bits(self) -> Self {
        let fewest_bits = QuantizedBits::Int8;
        Self {
            fewest_bits,
            ..self
        }
    }
}

/// What a linear layer is beside its weight.
pub enum LinearRole<'a, B: Backend> {
    /// One that can have an adapter.
    Layer {
        /// The adapter.
        lora: &'a mut Option<Lora<B>>,
        /// The bound of the values that the adapter's `A` begins with: what makes its products as
        /// large as those of a new weight.
        bound: f64,
    },
    /// A table of embeddings, whose rows are selected too.
    Table,
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

/// Writes [`LinearLayers`](crate::nn::LinearLayers) for a module, from those of its fields that
/// have linear layers: `linear_layers!(Attention { project_q, project_k, to_out.0 });`
#[macro_export]
macro_rules! linear_layers {
    ($module:ident { $($($field:tt).+),+ $(,)? }) => {
        impl<B: ::burn::tensor::backend::Backend> $crate::nn::LinearLayers<B> for $module<B> {
            fn visit_linear(
                &mut self,
                visit: &mut dyn FnMut($crate::nn::LinearLayer<'_, B>),
            ) {
                $($crate::nn::LinearLayers::visit_linear(&mut self.$($field).+, visit);)+
            }
        }
    };
}

/// Calls `change` with the path of each linear layer, as files name it, and the layer.
pub(crate) fn for_each_linear<B, M>(
    mut model: M,
    mut change: impl FnMut(&str, LinearLayer<'_, B>),
) -> M
where
    B: Backend,
    M: Module<B> + LinearLayers<B>,
{
    let mut weights = Weights::default();
    model.visit(&mut weights);
    model.visit_linear(&mut |layer| {
        if let Some(path) = weights.paths.get(&layer.weight.id()) {
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
        let layer = match self.path.names() {
            [layer @ .., weight] if weight == "weight" => layer,
            // Of a quantized one.
            [layer @ .., weight, scales] if weight == "weight" && scales == "scales" => layer,
            _ => return,
        };
        self.paths.insert(param.id, layer.join("."));
    }
}
