//! Swapping two dimensions.

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

pub(super) fn swapped<B: MpmBackend, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let retro = Retro::<B, _, 1>::new([x.node.id], |[x]| B::swapped_4d(x));
    Swapped
        .prepare::<C>([x.node.clone()])
        .memory_bound()
        .retro_forward(retro)
        .parents([&x])
        .stateless(B::swapped_4d(x.primitive))
}

#[derive(Debug)]
struct Swapped;

impl<B: MpmBackend> Backward<B, 1> for Swapped {
    type State = ();

    fn backward(self, ops: Ops<(), 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        unary::<B, _>(ops.parents, ops.node, grads, B::swapped_4d);
    }
}
