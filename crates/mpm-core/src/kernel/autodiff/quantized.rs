//! Linear layers with quantized weights, which are frozen.

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
        Shape, TensorMetadata,
        ops::{FloatTensor, IntTensor},
    },
};

use super::{super::MpmBackend, register};

pub(super) fn quantized_linear<B: MpmBackend, C: CheckpointStrategy>(
    x: FloatTensor<Autodiff<B, C>>,
    codes: IntTensor<B>,
    scales: FloatTensor<Autodiff<B, C>>,
    bias: Option<FloatTensor<Autodiff<B, C>>>,
) -> FloatTensor<Autodiff<B, C>> {
    let [_, d_in] = x.shape().dims();
    let scales = scales.primitive;
    let output = B::quantized_linear_2d(
        x.primitive.clone(),
        codes.clone(),
        scales.clone(),
        bias.as_ref().map(|bias| bias.primitive.clone()),
    );
    // one node type for both numbers of parents, see its `Backward` impls
    macro_rules! finish {
        ($nodes:expr) => {
            match Node.prepare::<C>($nodes).compute_bound().stateful() {
                OpsKind::Tracked(prep) => prep.finish(
                    Weight::<B> {
                        codes,
                        scales,
                        d_in,
                    },
                    output,
                ),
                OpsKind::UnTracked(prep) => prep.finish(output),
            }
        };
    }
    match bias {
        None => finish!([x.node]),
        Some(bias) => finish!([x.node, bias.node]),
    }
}

#[derive(Debug)]
struct Node;

/// The model holds these anyway, so that no run of a block again need bring them back.
#[derive(Clone, Debug)]
struct Weight<B: MpmBackend> {
    codes: IntTensor<B>,
    scales: FloatTensor<B>,
    d_in: usize,
}

impl<B: MpmBackend> Weight<B> {
    fn x_backward(self, grad: FloatTensor<B>) -> FloatTensor<B> {
        B::quantized_linear_2d_x_backward(self.codes, self.scales, grad, self.d_in)
    }
}

/// Without a bias.
impl<B: MpmBackend> Backward<B, 1> for Node {
    type State = Weight<B>;

    fn backward(
        self,
        ops: Ops<Weight<B>, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let x_grad = ops.state.clone().x_backward(grad);
        register::<B, _, 1>(grads, ops, [x_grad]);
    }
}

/// With a bias as the second parent.
impl<B: MpmBackend> Backward<B, 2> for Node {
    type State = Weight<B>;

    fn backward(
        self,
        ops: Ops<Weight<B>, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let grad = grads.consume::<B>(&ops.node);
        let [x, bias] = ops.parents;
        if let Some(bias) = bias {
            let sum = B::float_sum_dim(grad.clone(), 0);
            let [_, width] = sum.shape().dims();
            grads.register::<B>(bias.id, B::float_reshape(sum, Shape::new([width])));
        }
        if let Some(x) = x {
            grads.register::<B>(x.id, ops.state.x_backward(grad));
        }
    }
}
