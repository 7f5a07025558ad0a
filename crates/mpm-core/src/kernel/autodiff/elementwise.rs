//! Activations, plain and gated.

use burn::{
    backend::{
        Autodiff,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind, unary},
        },
    },
    tensor::ops::FloatTensor,
};

use super::{
    super::MpmBackend,
    Retro, register,
    saved::{Saved, operands},
};

pub(super) fn gelu<B: MpmBackend, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let retro = Retro::<B, _, 1>::new([x.node.id], |[x]| B::gelu_2d(x));
    let [operand] = operands([&x]);
    match Gelu
        .prepare::<C>([x.node.clone()])
        .memory_bound()
        .retro_forward(retro)
        .parents([&x])
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = operand.save(&mut prep);
            prep.finish(state, B::gelu_2d(x.primitive))
        }
        OpsKind::UnTracked(prep) => prep.finish(B::gelu_2d(x.primitive)),
    }
}

pub(super) fn silu<B: MpmBackend, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let retro = Retro::<B, _, 1>::new([x.node.id], |[x]| B::silu_2d(x));
    let [operand] = operands([&x]);
    match Silu
        .prepare::<C>([x.node.clone()])
        .memory_bound()
        .retro_forward(retro)
        .parents([&x])
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = operand.save(&mut prep);
            prep.finish(state, B::silu_2d(x.primitive))
        }
        OpsKind::UnTracked(prep) => prep.finish(B::silu_2d(x.primitive)),
    }
}

pub(super) fn gated_gelu<B: MpmBackend, C: CheckpointStrategy>(
    gate: FloatTensor<Autodiff<B, C>>,
    value: FloatTensor<Autodiff<B, C>>,
) -> FloatTensor<Autodiff<B, C>> {
    let retro = Retro::<B, _, 2>::new([gate.node.id, value.node.id], |[gate, value]| {
        B::gated_gelu_2d(gate, value)
    });
    let operands = operands([&gate, &value]);
    match GatedGelu
        .prepare::<C>([gate.node.clone(), value.node.clone()])
        .memory_bound()
        .retro_forward(retro)
        .parents([&gate, &value])
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = operands.map(|operand| operand.save(&mut prep));
            prep.finish(state, B::gated_gelu_2d(gate.primitive, value.primitive))
        }
        OpsKind::UnTracked(prep) => prep.finish(B::gated_gelu_2d(gate.primitive, value.primitive)),
    }
}

#[derive(Debug)]
struct Gelu;

impl<B: MpmBackend> Backward<B, 1> for Gelu {
    type State = Saved;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let x = ops.state.get::<B>(checkpointer);
        unary::<B, _>(ops.parents, ops.node, grads, |grad| {
            B::gelu_2d_backward(x, grad)
        });
    }
}

#[derive(Debug)]
struct Silu;

impl<B: MpmBackend> Backward<B, 1> for Silu {
    type State = Saved;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let x = ops.state.get::<B>(checkpointer);
        unary::<B, _>(ops.parents, ops.node, grads, |grad| {
            B::silu_2d_backward(x, grad)
        });
    }
}

#[derive(Debug)]
struct GatedGelu;

impl<B: MpmBackend> Backward<B, 2> for GatedGelu {
    type State = [Saved; 2];

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let operands = ops.state.clone();
        let [gate, value] = operands.map(|operand| operand.get::<B>(checkpointer));
        let grad = grads.consume::<B>(&ops.node);
        let (gate, value) = B::gated_gelu_2d_backward(gate, value, grad);
        register::<B, _, 2>(grads, ops, [gate, value]);
    }
}
