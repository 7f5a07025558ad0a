//! Convolutions.

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
    tensor::{TensorMetadata, ops::FloatTensor},
};

use super::super::{Conv2dOptions, MpmBackend};

pub(super) fn conv2d<B: MpmBackend, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: Option<FloatTensor<Autodiff<B, C>>>,
    options: Conv2dOptions,
) -> FloatTensor<Autodiff<B, C>> {
    let (x_tracked, weight_tracked) = (x.is_tracked(), weight.is_tracked());
    let nodes = [x.node.clone(), weight.node.clone()];
    let dims = [&x, &weight].map(|tensor| tensor.primitive.shape().dims());
    let output = B::conv2d_4d(
        x.primitive.clone(),
        weight.primitive.clone(),
        bias.as_ref().map(|bias| bias.primitive.clone()),
        options,
    );
    // one node type for both numbers of parents, see its `Backward` impls
    macro_rules! finish {
        ($nodes:expr) => {
            match Conv2d.prepare::<C>($nodes).compute_bound().stateful() {
                OpsKind::Tracked(mut prep) => {
                    let state = Conv2dState {
                        // each is needed for the other's gradient only
                        x: weight_tracked.then(|| prep.checkpoint(&x)),
                        weight: x_tracked.then(|| prep.checkpoint(&weight)),
                        dims,
                        options,
                    };
                    prep.finish(state, output)
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
struct Conv2d;

#[derive(Debug, Clone)]
struct Conv2dState {
    x: Option<NodeId>,
    weight: Option<NodeId>,
    /// The shapes of both.
    dims: [[usize; 4]; 2],
    options: Conv2dOptions,
}

impl Conv2dState {
    /// Registers the gradients of input and weight, as far as they are wanted.
    fn backward<B: MpmBackend>(
        self,
        [x_node, weight_node]: [Option<NodeId>; 2],
        grad: FloatTensor<B>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [x_dims, weight_dims] = self.dims;
        if let (Some(node), Some(weight)) = (x_node, self.weight) {
            let weight = checkpointer.retrieve_node_output(weight);
            let x_grad = B::conv2d_4d_x_backward(weight, grad.clone(), x_dims, self.options);
            grads.register::<B>(node, x_grad);
        }
        if let (Some(node), Some(x)) = (weight_node, self.x) {
            let x = checkpointer.retrieve_node_output(x);
            let weight_grad = B::conv2d_4d_weight_backward(x, grad, weight_dims, self.options);
            grads.register::<B>(node, weight_grad);
        }
    }
}

/// Without a bias.
impl<B: MpmBackend> Backward<B, 2> for Conv2d {
    type State = Conv2dState;

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
impl<B: MpmBackend> Backward<B, 3> for Conv2d {
    type State = Conv2dState;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let [x, weight, bias] = ops.parents.map(|parent| Some(parent?.id));
        if let Some(node) = bias {
            grads.register::<B>(node, B::conv2d_4d_bias_backward(grad.clone()));
        }
        ops.state
            .backward::<B>([x, weight], grad, grads, checkpointer);
    }
}
