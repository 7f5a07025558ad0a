//! Norms.

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

use super::{
    super::{GroupNormOptions, MpmBackend},
    Retro, register,
};

pub(super) fn rms_norm<B: MpmBackend, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    epsilon: f64,
) -> FloatTensor<Autodiff<B, C>> {
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

pub(super) fn group_norm<B: MpmBackend, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: FloatTensor<Autodiff<B, C>>,
    options: GroupNormOptions,
) -> FloatTensor<Autodiff<B, C>> {
    let inputs = [&x, &weight, &bias];
    let retro = Retro::<B, _, 3>::new(
        inputs.map(|input| input.node.id),
        move |[x, weight, bias]| B::group_norm_4d(x, weight, bias, options),
    );
    match GroupNorm
        .prepare::<C>(inputs.map(|input| input.node.clone()))
        .memory_bound()
        .retro_forward(retro)
        .parents(inputs)
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = (inputs.map(|input| prep.checkpoint(input)), options);
            prep.finish(
                state,
                B::group_norm_4d(x.primitive, weight.primitive, bias.primitive, options),
            )
        }
        OpsKind::UnTracked(prep) => prep.finish(B::group_norm_4d(
            x.primitive,
            weight.primitive,
            bias.primitive,
            options,
        )),
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
struct GroupNorm;

impl<B: MpmBackend> Backward<B, 3> for GroupNorm {
    type State = ([NodeId; 3], GroupNormOptions);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (inputs, options) = ops.state;
        let [x, weight, bias] = inputs.map(|id| checkpointer.retrieve_node_output(id));
        let grad = grads.consume::<B>(&ops.node);
        let inputs = B::group_norm_4d_backward(x, weight, bias, options, grad);
        register::<B, _, 3>(grads, ops, [inputs.x, inputs.weight, inputs.bias]);
    }
}
