//! SiLU and its gradient.

use burn::{backend::flex::FlexTensor, tensor::TensorMetadata};
use pulp::{Simd, WithSimd};

use super::{
    blocks::{by_blocks, map_blocks},
    math::{dispatch, map, sigmoid, zip},
    number::{Number, dense, elements, tensor},
};

pub(super) fn silu<T: Number>(x: FlexTensor) -> FlexTensor {
    map_blocks::<T>(x, |x| dispatch(Silu(x)))
}

pub(super) fn silu_backward<T: Number>(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
    let (x, grad) = (dense(x), dense(grad));
    let inputs = [elements::<T>(&x), elements(&grad)];
    let [output] = by_blocks(inputs, |[x, grad]| {
        dispatch(SiluBackward { x, grad });
    });
    tensor(output, x.shape())
}

struct Silu<'a>(&'a mut [f32]);

impl WithSimd for Silu<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        map(
            simd,
            self.0,
            #[inline(always)]
            |x| simd.mul_f32s(x, sigmoid(simd, x)),
        );
    }
}

/// Replaces `x` by its gradient.
struct SiluBackward<'a> {
    x: &'a mut [f32],
    grad: &'a [f32],
}

impl WithSimd for SiluBackward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        zip(
            simd,
            self.x,
            self.grad,
            #[inline(always)]
            |x, grad| simd.mul_f32s(silu_slope(simd, x), grad),
        );
    }
}

/// The derivative of SiLU, `σ(x) · (1 + x (1 - σ(x)))`.
#[inline(always)]
pub(super) fn silu_slope<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let gate = sigmoid(simd, x);
    let rest = simd.sub_f32s(one, gate);
    simd.mul_f32s(gate, simd.mul_add_e_f32s(x, rest, one))
}
