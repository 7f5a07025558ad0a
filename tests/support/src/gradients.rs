//! The gradients of a module's parameters, as PyTorch has them.

use std::collections::BTreeMap;

use burn::{
    module::{Module, ModuleVisitor, Param, ParamId},
    store::{BurnToPyTorchAdapter, ModuleAdapter, TensorSnapshot},
    tensor::{Tensor, TensorData, backend::AutodiffBackend},
};

/// The gradients by the parameters' names, laid out as PyTorch's: norms have a `weight` and a
/// `bias`, linear weights are `[d_out, d_in]`.
///
/// Parameters that the loss does not depend on are absent.
pub fn gradients<B: AutodiffBackend, M: Module<B>>(
    module: &M,
    gradients: &B::Gradients,
) -> BTreeMap<String, TensorData> {
    let mut collector = Collector::<B> {
        gradients,
        path: Vec::new(),
        containers: Vec::new(),
        found: BTreeMap::new(),
    };
    module.visit(&mut collector);
    collector.found
}

/// Checkpoints do not name the variant of an enum.
fn is_enum(container: &str) -> bool {
    container.starts_with("Enum:")
}

struct Collector<'a, B: AutodiffBackend> {
    gradients: &'a B::Gradients,
    path: Vec<String>,
    /// The types of the modules on the path, by which the adapter recognises linear layers.
    containers: Vec<String>,
    found: BTreeMap<String, TensorData>,
}

impl<B: AutodiffBackend> ModuleVisitor<B> for Collector<'_, B> {
    fn enter_module(&mut self, name: &str, container: &str) {
        self.containers.push(container.to_owned());
        if !is_enum(container) {
            self.path.push(name.to_owned());
        }
    }

    fn exit_module(&mut self, _name: &str, container: &str) {
        self.containers.pop();
        if !is_enum(container) {
            self.path.pop();
        }
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        let Some(gradient) = param.val().grad(self.gradients) else {
            return;
        };
        let snapshot = BurnToPyTorchAdapter.adapt(&TensorSnapshot::from_data(
            gradient.into_data(),
            self.path.clone(),
            self.containers.clone(),
            ParamId::new(),
        ));
        let data = snapshot
            .to_data()
            .expect("the data is in memory, where nothing fails to be read");
        self.found.insert(snapshot.full_path(), data);
    }
}
