//! The parameters of a model as leaves of one graph.

use burn::module::{AutodiffModule, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor, backend::AutodiffBackend};

/// Puts all parameters that train into one graph, before anything is computed from them.
///
/// Each parameter begins as a graph of its own, which becomes part of the pass's graph with the
/// first operation on it. Burn 0.21 leaves it to a hash which of the two moves into the other, so
/// that every second time all that the pass has done so far moves, under a lock that all passes
/// share. A concatenation moves all parameters at once, and nothing later.
pub(crate) fn join<B, M>(model: &M)
where
    B: AutodiffBackend,
    M: AutodiffModule<B>,
{
    struct Firsts<B: AutodiffBackend>(Vec<Tensor<B, 1>>);

    impl<B: AutodiffBackend> ModuleVisitor<B> for Firsts<B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
            let value = param.val();
            if !value.is_require_grad() || value.shape().num_elements() == 0 {
                return;
            }
            let first = value.slice([(); D].map(|()| 0..1)).reshape([1]);
            self.0.push(match first.dtype() {
                DType::F32 => first,
                _ => first.cast(DType::F32),
            });
        }
    }

    let mut firsts = Firsts(Vec::new());
    model.visit(&mut firsts);
    if !firsts.0.is_empty() {
        Tensor::cat(firsts.0, 0);
    }
}
