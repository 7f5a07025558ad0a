//! Operations that are linear in their input and in their weight, with or without a bias.

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
    tensor::ops::FloatTensor,
};
use std::fmt::Debug;

use super::{
    super::MpmBackend,
    saved::{Operand, Saved},
};

/// One of these operations.
pub(super) trait Affine<B: MpmBackend>: Debug + Send + 'static {
    fn forward(
        &self,
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: Option<FloatTensor<B>>,
    ) -> FloatTensor<B>;

    /// The gradient of the input, from that of the output.
    fn x_backward(&self, weight: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B>;

    /// The gradient of the weight.
    fn weight_backward(&self, x: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B>;

    /// The gradient of the bias.
    fn bias_backward(&self, grad: FloatTensor<B>) -> FloatTensor<B>;
}

pub(super) fn affine<B: MpmBackend, C: CheckpointStrategy>(
    operation: impl Affine<B>,
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: Option<FloatTensor<Autodiff<B, C>>>,
) -> FloatTensor<Autodiff<B, C>> {
    let (x_tracked, weight_tracked) = (x.is_tracked(), weight.is_tracked());
    let nodes = [x.node.clone(), weight.node.clone()];
    // each is needed for the other's gradient only
    let x_operand = Operand::new(&x, weight_tracked);
    let weight_operand = Operand::new(&weight, x_tracked);
    let output = operation.forward(
        x.primitive.clone(),
        weight.primitive.clone(),
        bias.as_ref().map(|bias| bias.primitive.clone()),
    );
    let node = Node(operation);
    // one node type for both numbers of parents, see its `Backward` impls
    macro_rules! finish {
        ($nodes:expr) => {
            match node.prepare::<C>($nodes).compute_bound().stateful() {
                OpsKind::Tracked(mut prep) => {
                    let x = weight_tracked.then(|| x_operand.save(&mut prep));
                    let weight = x_tracked.then(|| weight_operand.save(&mut prep));
                    prep.finish(Operands { x, weight }, output)
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
struct Node<A>(A);

/// What was kept for the gradients.
#[derive(Debug, Clone)]
struct Operands {
    x: Option<Saved>,
    weight: Option<Saved>,
}

impl<A> Node<A> {
    /// Registers the gradients of input and weight, as far as they are wanted.
    fn register<B: MpmBackend>(
        &self,
        [x_node, weight_node]: [Option<NodeId>; 2],
        operands: Operands,
        grad: FloatTensor<B>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) where
        A: Affine<B>,
    {
        if let (Some(node), Some(weight)) = (x_node, operands.weight) {
            let weight = weight.get::<B>(checkpointer);
            grads.register::<B>(node, self.0.x_backward(weight, grad.clone()));
        }
        if let (Some(node), Some(x)) = (weight_node, operands.x) {
            let x = x.get::<B>(checkpointer);
            grads.register::<B>(node, self.0.weight_backward(x, grad));
        }
    }
}

/// Without a bias.
impl<B: MpmBackend, A: Affine<B>> Backward<B, 2> for Node<A> {
    type State = Operands;

    fn backward(
        self,
        ops: Ops<Operands, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let parents = ops.parents.map(|parent| Some(parent?.id));
        self.register::<B>(parents, ops.state, grad, grads, checkpointer);
    }
}

/// With a bias as the third parent.
impl<B: MpmBackend, A: Affine<B>> Backward<B, 3> for Node<A> {
    type State = Operands;

    fn backward(
        self,
        ops: Ops<Operands, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let [x, weight, bias] = ops.parents.map(|parent| Some(parent?.id));
        if let Some(node) = bias {
            grads.register::<B>(node, self.0.bias_backward(grad.clone()));
        }
        self.register::<B>([x, weight], ops.state, grad, grads, checkpointer);
    }
}
