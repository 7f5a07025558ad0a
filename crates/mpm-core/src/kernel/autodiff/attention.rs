//! Attention.

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
        ops::{BoolTensor, FloatTensor},
    },
};

use super::{
    super::{AttentionGrads, MpmBackend},
    register,
    saved::{Operand, Saved},
};

pub(super) fn attention<B: MpmBackend, C: CheckpointStrategy>(
    query: FloatTensor<Autodiff<B, C>>,
    key: FloatTensor<Autodiff<B, C>>,
    value: FloatTensor<Autodiff<B, C>>,
    bias: Option<FloatTensor<Autodiff<B, C>>>,
    hidden: Option<BoolTensor<Autodiff<B, C>>>,
    scale: f64,
) -> FloatTensor<Autodiff<B, C>> {
    let inputs = [&query, &key, &value];
    let is_tracked = |tensor: &FloatTensor<Autodiff<B, C>>| tensor.is_tracked();
    let is_needed = inputs.into_iter().any(is_tracked) || bias.as_ref().is_some_and(is_tracked);
    let operands = inputs.map(|input| Operand::new(input, is_needed));
    let bias_operand = bias.as_ref().map(|bias| Operand::new(bias, is_needed));
    let output = B::biased_attention(
        query.primitive.clone(),
        key.primitive.clone(),
        value.primitive.clone(),
        bias.as_ref().map(|bias| bias.primitive.clone()),
        hidden.clone(),
        scale,
    );
    let nodes = inputs.map(|tensor| tensor.node.clone());
    // one node type for both numbers of parents, see its `Backward` impls
    macro_rules! finish {
        ($nodes:expr) => {
            match Attention.prepare::<C>($nodes).compute_bound().stateful() {
                OpsKind::Tracked(mut prep) => {
                    let state = AttentionState::<B> {
                        inputs: operands.map(|operand| operand.save(&mut prep)),
                        bias: bias_operand.map(|operand| operand.save(&mut prep)),
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
        None => finish!(nodes),
        Some(bias) => {
            let [query, key, value] = nodes;
            finish!([query, key, value, bias.node.clone()])
        }
    }
}

#[derive(Debug)]
struct Attention;

#[derive(Debug, Clone)]
struct AttentionState<B: Backend> {
    inputs: [Saved; 3],
    bias: Option<Saved>,
    hidden: Option<BoolTensor<B>>,
    scale: f64,
}

impl<B: MpmBackend> AttentionState<B> {
    fn backward(
        self,
        grad: FloatTensor<B>,
        checkpointer: &mut Checkpointer,
    ) -> AttentionGrads<FloatTensor<B>> {
        let [query, key, value] = self.inputs.map(|operand| operand.get::<B>(checkpointer));
        let bias = self.bias.map(|operand| operand.get::<B>(checkpointer));
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
