//! Differentiation of the fused operations.

mod affine;
mod attention;
mod conv2d;
mod cross_entropy;
mod elementwise;
mod linear;
mod norm;
mod quantized;
mod saved;
mod swap;

use burn::{
    backend::{
        Autodiff,
        autodiff::{
            NodeId,
            checkpoint::{
                retro_forward::RetroForward, state::BackwardStates, strategy::CheckpointStrategy,
            },
            grads::Gradients,
            ops::Ops,
        },
    },
    tensor::{
        backend::{AutodiffBackend, Backend},
        ops::{BoolTensor, FloatTensor, IntTensor},
    },
};
use std::{fmt::Debug, marker::PhantomData};

use super::{Conv2dOptions, GroupNormOptions, MpmBackend};

impl<B: MpmBackend, C: CheckpointStrategy> MpmBackend for Autodiff<B, C> {
    fn gelu_2d(x: FloatTensor<Self>) -> FloatTensor<Self> {
        elementwise::gelu::<B, C>(x)
    }

    fn silu_2d(x: FloatTensor<Self>) -> FloatTensor<Self> {
        elementwise::silu::<B, C>(x)
    }

    fn gated_gelu_2d(gate: FloatTensor<Self>, value: FloatTensor<Self>) -> FloatTensor<Self> {
        elementwise::gated_gelu::<B, C>(gate, value)
    }

    fn rms_norm_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        norm::rms_norm::<B, C>(x, weight, epsilon)
    }

    fn layer_norm_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        norm::layer_norm::<B, C>(x, weight, bias, epsilon)
    }

    fn group_norm_4d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: GroupNormOptions,
    ) -> FloatTensor<Self> {
        norm::group_norm::<B, C>(x, weight, bias, options)
    }

    fn linear_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        affine::affine::<B, C>(linear::Linear, x, weight, bias)
    }

    fn quantized_linear_2d(
        x: FloatTensor<Self>,
        codes: IntTensor<Self>,
        scales: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        quantized::quantized_linear::<B, C>(x, codes, scales, bias)
    }

    fn dequantized_2d(
        codes: IntTensor<Self>,
        scales: FloatTensor<Self>,
        d_in: usize,
    ) -> FloatTensor<Self> {
        Self::from_inner(B::dequantized_2d(codes, scales.primitive, d_in))
    }

    fn conv2d_4d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        options: Conv2dOptions,
    ) -> FloatTensor<Self> {
        affine::affine::<B, C>(
            conv2d::Conv2d::new(&x.primitive, &weight.primitive, options),
            x,
            weight,
            bias,
        )
    }

    fn swapped_4d(x: FloatTensor<Self>) -> FloatTensor<Self> {
        swap::swapped::<B, C>(x)
    }

    fn cross_entropy_2d(logits: FloatTensor<Self>, classes: IntTensor<Self>) -> FloatTensor<Self> {
        cross_entropy::cross_entropy::<B, C>(logits, classes)
    }

    fn biased_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        hidden: Option<BoolTensor<Self>>,
        scale: f64,
    ) -> FloatTensor<Self> {
        attention::attention::<B, C>(query, key, value, bias, hidden, scale)
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
