//! Linear layers.

use burn::{
    backend::{
        Autodiff,
        autodiff::{
            NodeId,
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
    },
    tensor::{Shape, TensorMetadata, backend::Backend, ops::FloatTensor},
};

use super::super::MpmBackend;

pub(super) fn linear<B: MpmBackend, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: Option<FloatTensor<Autodiff<B, C>>>,
) -> FloatTensor<Autodiff<B, C>> {
    let (x_tracked, weight_tracked) = (x.is_tracked(), weight.is_tracked());
    let nodes = [x.node.clone(), weight.node.clone()];
    let output = B::linear_2d(
        x.primitive.clone(),
        weight.primitive.clone(),
        bias.as_ref().map(|bias| bias.primitive.clone()),
    );
    // one node type for both numbers of parents, see its `Backward` impls
    macro_rules! finish {
        ($nodes:expr) => {
            match Linear.prepare::<C>($nodes).compute_bound().stateful() {
                OpsKind::Tracked(mut prep) => {
                    // each is needed for the other's gradient only
                    let x = weight_tracked.then(|| prep.checkpoint(&x));
                    let weight = x_tracked.then(|| prep.checkpoint(&weight));
                    prep.finish(LinearState { x, weight }, output)
                }
                OpsKind::UnTracked(prep) => prep.finish(output),
            }
        };
    }
    match bias {
        None => finish!(nodes),
        Some(bias) => {
            let [x, weight] = nodes;
            finish!([x, weight, bias.node])
        }
    }
}

#[derive(Debug)]
struct Linear;

#[derive(Debug, Clone)]
struct LinearState {
    x: Option<NodeId>,
    weight: Option<NodeId>,
}

impl LinearState {
    /// Registers the gradients of input and weight, as far as they are wanted.
    fn backward<B: Backend>(
        self,
        [x_node, weight_node]: [Option<NodeId>; 2],
        grad: FloatTensor<B>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        if let (Some(node), Some(weight)) = (x_node, self.weight) {
            let weight = checkpointer.retrieve_node_output(weight);
            grads.register::<B>(node, B::float_matmul(grad.clone(), weight));
        }
        if let (Some(node), Some(x)) = (weight_node, self.x) {
            let x = checkpointer.retrieve_node_output(x);
            grads.register::<B>(node, B::float_matmul(B::float_transpose(grad), x));
        }
    }
}

/// Without a bias.
impl<B: MpmBackend> Backward<B, 2> for Linear {
    type State = LinearState;

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let parents = ops.parents.map(|parent| Some(parent?.id));
        ops.state.backward::<B>(parents, grad, grads, checkpointer);
    }
}

/// With a bias as the third parent.
impl<B: MpmBackend> Backward<B, 3> for Linear {
    type State = LinearState;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let [x, weight, bias] = ops.parents.map(|parent| Some(parent?.id));
        if let Some(node) = bias {
            let sum = B::float_sum_dim(grad.clone(), 0);
            let [_, width] = sum.shape().dims();
            grads.register::<B>(node, B::float_reshape(sum, Shape::new([width])));
        }
        ops.state
            .backward::<B>([x, weight], grad, grads, checkpointer);
    }
}
