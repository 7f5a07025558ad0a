//! Swapping rows and columns.

use burn::{
    backend::{
        Autodiff,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, unary},
        },
    },
    tensor::ops::FloatTensor,
};

use super::{super::MpmBackend, Retro};

pub(super) fn transposed<B: MpmBackend, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let retro = Retro::<B, _, 1>::new([x.node.id], |[x]| B::transposed_3d(x));
    Transposed
        .prepare::<C>([x.node.clone()])
        .memory_bound()
        .retro_forward(retro)
        .parents([&x])
        .stateless(B::transposed_3d(x.primitive))
}

#[derive(Debug)]
struct Transposed;

impl<B: MpmBackend> Backward<B, 1> for Transposed {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, grads, B::transposed_3d);
    }
}
