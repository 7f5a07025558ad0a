//! Norms.

use burn::{
    backend::{
        Autodiff,
        autodiff::{
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
    saved::{Saved, operands},
};

pub(super) fn rms_norm<B: MpmBackend, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    epsilon: f64,
) -> FloatTensor<Autodiff<B, C>> {
    let retro = Retro::<B, _, 2>::new([x.node.id, weight.node.id], move |[x, weight]| {
        B::rms_norm_2d(x, weight, epsilon)
    });
    let operands = operands([&x, &weight]);
    match RmsNorm
        .prepare::<C>([x.node.clone(), weight.node.clone()])
        .memory_bound()
        .retro_forward(retro)
        .parents([&x, &weight])
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = (operands.map(|operand| operand.save(&mut prep)), epsilon);
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

pub(super) fn layer_norm<B: MpmBackend, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    weight: FloatTensor<Autodiff<B, C>>,
    bias: FloatTensor<Autodiff<B, C>>,
    epsilon: f64,
) -> FloatTensor<Autodiff<B, C>> {
    let inputs = [&x, &weight, &bias];
    let retro = Retro::<B, _, 3>::new(
        inputs.map(|input| input.node.id),
        move |[x, weight, bias]| B::layer_norm_2d(x, weight, bias, epsilon),
    );
    // the bias, which no gradient reads, is as small as the weight
    let operands = operands(inputs);
    match LayerNorm
        .prepare::<C>(inputs.map(|input| input.node.clone()))
        .memory_bound()
        .retro_forward(retro)
        .parents(inputs)
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = (operands.map(|operand| operand.save(&mut prep)), epsilon);
            prep.finish(
                state,
                B::layer_norm_2d(x.primitive, weight.primitive, bias.primitive, epsilon),
            )
        }
        OpsKind::UnTracked(prep) => prep.finish(B::layer_norm_2d(
            x.primitive,
            weight.primitive,
            bias.primitive,
            epsilon,
        )),
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
    let operands = operands(inputs);
    match GroupNorm
        .prepare::<C>(inputs.map(|input| input.node.clone()))
        .memory_bound()
        .retro_forward(retro)
        .parents(inputs)
        .stateful()
    {
        OpsKind::Tracked(mut prep) => {
            let state = (operands.map(|operand| operand.save(&mut prep)), options);
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
    type State = ([Saved; 2], f64);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (operands, epsilon) = ops.state.clone();
        let [x, weight] = operands.map(|operand| operand.get::<B>(checkpointer));
        let grad = grads.consume::<B>(&ops.node);
        let (x, weight) = B::rms_norm_2d_backward(x, weight, epsilon, grad);
        register::<B, _, 2>(grads, ops, [x, weight]);
    }
}

#[derive(Debug)]
struct LayerNorm;

impl<B: MpmBackend> Backward<B, 3> for LayerNorm {
    type State = ([Saved; 3], f64);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (operands, epsilon) = ops.state.clone();
        let [x, weight, _] = operands.map(|operand| operand.get::<B>(checkpointer));
        let grad = grads.consume::<B>(&ops.node);
        let inputs = B::layer_norm_2d_backward(x, weight, epsilon, grad);
        register::<B, _, 3>(grads, ops, [inputs.0, inputs.1, inputs.2]);
    }
}

#[derive(Debug)]
struct GroupNorm;

impl<B: MpmBackend> Backward<B, 3> for GroupNorm {
    type State = ([Saved; 3], GroupNormOptions);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        checkpointer: &mut Checkpointer,
    ) {
        let (operands, options) = ops.state.clone();
        let [x, weight, bias] = operands.map(|operand| operand.get::<B>(checkpointer));
        let grad = grads.consume::<B>(&ops.node);
        let inputs = B::group_norm_4d_backward(x, weight, bias, options, grad);
        register::<B, _, 3>(grads, ops, [inputs.x, inputs.weight, inputs.bias]);
    }
}
