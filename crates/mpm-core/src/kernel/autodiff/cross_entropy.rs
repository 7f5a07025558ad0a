//! Cross entropy.

use burn::{
    backend::{
        Autodiff,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
    },
    tensor::{
        backend::Backend,
        ops::{FloatTensor, IntTensor},
    },
};

use super::{
    super::MpmBackend,
    register,
    saved::{Saved, operands},
};

pub(super) fn cross_entropy<B: MpmBackend, C: CheckpointStrategy>(
    logits: FloatTensor<Autodiff<B, C>>,
    classes: IntTensor<B>,
) -> FloatTensor<Autodiff<B, C>> {
    let [operand] = operands([&logits]);
    let output = B::cross_entropy_2d(logits.primitive.clone(), classes.clone());
    match CrossEntropy
        .prepare::<C>([logits.node.clone()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let logits = operand.save(&mut prep);
            prep.finish(CrossEntropyState::<B> { logits, classes }, output)
        }
        OpsKind::UnTracked(prep) => prep.finish(output),
    }
}

#[derive(Debug)]
struct CrossEntropy;

#[derive(Debug, Clone)]
struct CrossEntropyState<B: Backend> {
    logits: Saved,
    classes: IntTensor<B>,
}

impl<B: MpmBackend> Backward<B, 1> for CrossEntropy {
    type State = CrossEntropyState<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let CrossEntropyState { logits, classes } = ops.state.clone();
        let logits = logits.get::<B>(checkpointer);
        let grad = grads.consume::<B>(&ops.node);
        let logits = B::cross_entropy_2d_backward(logits, classes, grad);
        register::<B, _, 1>(grads, ops, [logits]);
    }
}
