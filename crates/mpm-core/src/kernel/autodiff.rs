//! Differentiation of the fused operations.

use burn::{
    backend::{
        Autodiff,
        autodiff::{
            NodeId,
            checkpoint::{
                base::Checkpointer, retro_forward::RetroForward, state::BackwardStates,
                strategy::CheckpointStrategy,
            },
            grads::Gradients,
            ops::{Backward, Ops, OpsKind, unary},
        },
    },
    tensor::{
        Shape, TensorMetadata,
        backend::Backend,
        ops::{BoolTensor, FloatTensor},
    },
};
use std::{fmt::Debug, marker::PhantomData};

use super::{AttentionGrads, MpmBackend};

impl<B: MpmBackend, C: CheckpointStrategy> MpmBackend for Autodiff<B, C> {
    fn gelu_2d(x: FloatTensor<Self>) -> FloatTensor<Self> {
        let retro = Retro::<B, _, 1>::new([x.node.id], |[x]| B::gelu_2d(x));
        match Gelu
            .prepare::<C>([x.node.clone()])
            .memory_bound()
            .retro_forward(retro)
            .parents([&x])
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let state = prep.checkpoint(&x);
                prep.finish(state, B::gelu_2d(x.primitive))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::gelu_2d(x.primitive)),
        }
    }

    fn gated_gelu_2d(gate: FloatTensor<Self>, value: FloatTensor<Self>) -> FloatTensor<Self> {
        let retro = Retro::<B, _, 2>::new([gate.node.id, value.node.id], |[gate, value]| {
            B::gated_gelu_2d(gate, value)
        });
        match GatedGelu
            .prepare::<C>([gate.node.clone(), value.node.clone()])
            .memory_bound()
            .retro_forward(retro)
            .parents([&gate, &value])
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let state = [prep.checkpoint(&gate), prep.checkpoint(&value)];
                prep.finish(state, B::gated_gelu_2d(gate.primitive, value.primitive))
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::gated_gelu_2d(gate.primitive, value.primitive))
            }
        }
    }

    fn rms_norm_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let retro = Retro::<B, _, 2>::new([x.node.id, weight.node.id], move |[x, weight]| {
            B::rms_norm_2d(x, weight, epsilon)
        });
        match RmsNorm
            .prepare::<C>([x.node.clone(), weight.node.clone()])
            .memory_bound()
            .retro_forward(retro)
            .parents([&x, &weight])
            .stateful()
        {
            OpsKind::Tracked(mut prep) => {
                let state = (prep.checkpoint(&x), prep.checkpoint(&weight), epsilon);
                prep.finish(
                    state,
                    B::rms_norm_2d(x.primitive, weight.primitive, epsilon),
                )
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::rms_norm_2d(x.primitive, weight.primitive, epsilon))
            }
        }
    }

    fn linear_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
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

    fn biased_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        hidden: Option<BoolTensor<Self>>,
        scale: f64,
    ) -> FloatTensor<Self> {
        let output = B::biased_attention(
            query.primitive.clone(),
            key.primitive.clone(),
            value.primitive.clone(),
            bias.as_ref().map(|bias| bias.primitive.clone()),
            hidden.clone(),
            scale,
        );
        let nodes = [&query, &key, &value].map(|tensor| tensor.node.clone());
        // one node type for both numbers of parents, see its `Backward` impls
        macro_rules! finish {
            ($nodes:expr, $bias:expr) => {
                match Attention.prepare::<C>($nodes).compute_bound().stateful() {
                    OpsKind::Tracked(mut prep) => {
                        let state = AttentionState::<B> {
                            inputs: [&query, &key, &value].map(|tensor| prep.checkpoint(tensor)),
                            bias: $bias.map(|bias| prep.checkpoint(bias)),
                            hidden,
                            scale,
                        };
                        prep.finish(state, output)
                    }
                    OpsKind::UnTracked(prep) => prep.finish(output),
                }
            };
        }
        match &bias {
            None => finish!(nodes, None),
            Some(bias) => {
                let [query, key, value] = nodes;
                finish!([query, key, value, bias.node.clone()], Some(bias))
            }
        }
    }
}

/// Computes an operation again where gradient checkpointing did not keep its output.
struct Retro<B, F, const N: usize> {
    inputs: [NodeId; N],
    forward: F,
    backend: PhantomData<B>,
}

impl<B, F, const N: usize> Retro<B, F, N>
where
    B: Backend,
    F: Fn([FloatTensor<B>; N]) -> FloatTensor<B>,
{
    fn new(inputs: [NodeId; N], forward: F) -> Self {
        Self {
            inputs,
            forward,
            backend: PhantomData,
        }
    }
}

impl<B, F, const N: usize> Debug for Retro<B, F, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Retro")
            .field("inputs", &self.inputs)
            .finish()
    }
}

impl<B, F, const N: usize> RetroForward for Retro<B, F, N>
where
    B: Backend,
    F: Fn([FloatTensor<B>; N]) -> FloatTensor<B> + Send + 'static,
{
    fn forward(&self, states: &mut BackwardStates, out_node: NodeId) {
        let inputs = self
            .inputs
            .map(|id| states.get_state::<FloatTensor<B>>(&id));
        states.save(out_node, (self.forward)(inputs));
    }
}

/// Hands the parents that want a gradient theirs.
fn register<B: Backend, S, const N: usize>(
    grads: &mut Gradients,
    ops: Ops<S, N>,
    values: [FloatTensor<B>; N],
) {
    for (parent, value) in ops.parents.into_iter().zip(values) {
        if let Some(parent) = parent {
            grads.register::<B>(parent.id, value);
        }
    }
}

#[derive(Debug)]
struct Gelu;

impl<B: MpmBackend> Backward<B, 1> for Gelu {
    type State = NodeId;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let x = checkpointer.retrieve_node_output(ops.state);
        unary::<B, _>(ops.parents, ops.node, grads, |grad| {
            B::gelu_2d_backward(x, grad)
        });
    }
}

#[derive(Debug)]
struct GatedGelu;

impl<B: MpmBackend> Backward<B, 2> for GatedGelu {
    type State = [NodeId; 2];

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let [gate, value] = ops.state.map(|id| checkpointer.retrieve_node_output(id));
        let grad = grads.consume::<B>(&ops.node);
        let (gate, value) = B::gated_gelu_2d_backward(gate, value, grad);
        register::<B, _, 2>(grads, ops, [gate, value]);
    }
}

#[derive(Debug)]
struct RmsNorm;

impl<B: MpmBackend> Backward<B, 2> for RmsNorm {
    type State = (NodeId, NodeId, f64);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (x, weight, epsilon) = ops.state;
        let x = checkpointer.retrieve_node_output(x);
        let weight = checkpointer.retrieve_node_output(weight);
        let grad = grads.consume::<B>(&ops.node);
        let (x, weight) = B::rms_norm_2d_backward(x, weight, epsilon, grad);
        register::<B, _, 2>(grads, ops, [x, weight]);
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

#[derive(Debug)]
struct Attention;

#[derive(Debug, Clone)]
struct AttentionState<B: Backend> {
    inputs: [NodeId; 3],
    bias: Option<NodeId>,
    hidden: Option<BoolTensor<B>>,
    scale: f64,
}

impl<B: MpmBackend> AttentionState<B> {
    fn backward(
        self,
        grad: FloatTensor<B>,
        checkpointer: &mut Checkpointer,
    ) -> AttentionGrads<FloatTensor<B>> {
        let [query, key, value] = self.inputs.map(|id| checkpointer.retrieve_node_output(id));
        let bias = self.bias.map(|id| checkpointer.retrieve_node_output(id));
        B::biased_attention_backward(query, key, value, bias, self.hidden, self.scale, grad)
    }
}

/// Without a bias.
impl<B: MpmBackend> Backward<B, 3> for Attention {
    type State = AttentionState<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let inputs = ops.state.clone().backward(grad, checkpointer);
        register::<B, _, 3>(grads, ops, [inputs.query, inputs.key, inputs.value]);
    }
}

/// With a bias as the fourth parent.
impl<B: MpmBackend> Backward<B, 4> for Attention {
    type State = AttentionState<B>;

    fn backward(
        self,
        ops: Ops<Self::State, 4>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let inputs = ops.state.clone().backward(grad, checkpointer);
        let bias = inputs
            .bias
            .expect("an attention with a bias has its gradient");
        let inputs = [inputs.query, inputs.key, inputs.value, bias];
        register::<B, _, 4>(grads, ops, inputs);
    }
}
