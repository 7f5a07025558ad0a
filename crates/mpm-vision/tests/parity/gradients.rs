//! The gradients of a module's parameters under the checkpoint's names.

use std::collections::BTreeMap;

use burn::{
    module::{Module, ModuleVisitor, Param},
    tensor::{Tensor, TensorData, backend::AutodiffBackend},
};

use crate::support::CheckpointPath;

/// Gradients by name below `root`, laid out as PyTorch's.
pub fn gradients<B: AutodiffBackend, M: Module<B>>(
    module: &M,
    grads: &B::Gradients,
    root: &str,
) -> BTreeMap<String, TensorData> {
    let mut visitor = Collector::<B> {
        grads,
        path: CheckpointPath::default(),
        found: BTreeMap::new(),
    };
    visitor.path.enter(root, "");
    module.visit(&mut visitor);
    visitor.found
}

struct Collector<'a, B: AutodiffBackend> {
    grads: &'a B::Gradients,
    path: CheckpointPath,
    found: BTreeMap<String, TensorData>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Collector<'_, B> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.path.enter(name, container);
    }

    fn exit_module(&mut self, _name: &str, _container: &str) {
        self.path.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let value = param.val();
        // What the loss does not depend on has zeros in PyTorch and nothing here.
        let mut grad = value
            .grad(self.grads)
            .unwrap_or_else(|| value.inner().zeros_like());
        if self.path.is_linear_weight() {
            grad = grad.swap_dims(0, 1);
        }
        self.found.insert(self.path.name(), grad.into_data());
    }
}
