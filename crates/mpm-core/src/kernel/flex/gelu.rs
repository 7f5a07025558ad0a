//! GELU with the error function, plain and gated, and their gradients.

use burn::{backend::flex::FlexTensor, tensor::TensorMetadata};
use pulp::{Simd, WithSimd};

use super::{
    blocks::{by_blocks, map_blocks},
    math::{dispatch, map, normal, zip},
    number::{Number, dense, elements, tensor},
};

pub(super) fn gelu<T: Number>(x: FlexTensor) -> FlexTensor {
    map_blocks::<T>(x, |x| dispatch(Gelu(x)))
}

pub(super) fn gated_gelu<T: Number>(gate: FlexTensor, value: FlexTensor) -> FlexTensor {
    let (gate, value) = (dense(gate), dense(value));
    let inputs = [elements::<T>(&gate), elements(&value)];
    let [output] = by_blocks(inputs, |[gate, value]| {
        dispatch(GatedGelu { gate, value });
    });
    tensor(output, gate.shape())
}

pub(super) fn gelu_backward<T: Number>(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
    let (x, grad) = (dense(x), dense(grad));
    let inputs = [elements::<T>(&x), elements(&grad)];
    let [output] = by_blocks(inputs, |[x, grad]| {
        dispatch(GeluBackward { x, grad });
    });
    tensor(output, x.shape())
}

/// The gradients of gate and value.
pub(super) fn gated_gelu_backward<T: Number>(
    gate: FlexTensor,
    value: FlexTensor,
    grad: FlexTensor,
) -> (FlexTensor, FlexTensor) {
    let (gate, value, grad) = (dense(gate), dense(value), dense(grad));
    let inputs = [elements::<T>(&gate), elements(&value), elements(&grad)];
    let [gate_grad, value_grad] = by_blocks(inputs, |[gate, value, grad]| {
        dispatch(GatedGeluBackward { gate, value, grad });
    });
    (
        tensor(gate_grad, gate.shape()),
        tensor(value_grad, gate.shape()),
    )
}

struct Gelu<'a>(&'a mut [f32]);

impl WithSimd for Gelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        map(
            simd,
            self.0,
            #[inline(always)]
            |x| simd.mul_f32s(x, normal(simd, x).0),
        );
    }
}

struct GatedGelu<'a> {
    gate: &'a mut [f32],
    value: &'a [f32],
}

impl WithSimd for GatedGelu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        zip(
            simd,
            self.gate,
            self.value,
            #[inline(always)]
            |x, value| simd.mul_f32s(simd.mul_f32s(x, normal(simd, x).0), value),
        );
    }
}

/// Replaces `x` by `(Φ(x) + x φ(x)) · grad`.
struct GeluBackward<'a> {
    x: &'a mut [f32],
    grad: &'a [f32],
}

impl WithSimd for GeluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        zip(
            simd,
            self.x,
            self.grad,
            #[inline(always)]
            |x, grad| {
                let (cumulative, density) = normal(simd, x);
                simd.mul_f32s(simd.mul_add_e_f32s(x, density, cumulative), grad)
            },
        );
    }
}

/// Replaces `gate` and `value` by their gradients.
struct GatedGeluBackward<'a> {
    gate: &'a mut [f32],
    value: &'a mut [f32],
    grad: &'a mut [f32],
}

impl WithSimd for GatedGeluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // grad · value first, because value's place takes the other gradient
        let Self { gate, value, grad } = self;
        zip(
            simd,
            value,
            grad,
            #[inline(always)]
            |value, grad| simd.mul_f32s(value, grad),
        );
        zip(
            simd,
            grad,
            gate,
            #[inline(always)]
            |grad, x| simd.mul_f32s(grad, simd.mul_f32s(x, normal(simd, x).0)),
        );
        GeluBackward {
            x: gate,
            grad: value,
        }
        .with_simd(simd);
        value.copy_from_slice(grad);
    }
}
