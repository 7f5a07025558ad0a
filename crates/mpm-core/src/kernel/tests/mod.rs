//! Fused operations against composed ones, against f64 and against finite
//! differences.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

mod assign;
mod attention;
mod conv2d;
mod cross_entropy;
mod elementwise;
mod gradients;
mod group_norm;
mod layer_norm;
mod linear;
mod quantized;
mod rms_norm;
mod swap;

use burn::{
    backend::{Autodiff, Flex},
    tensor::{
        Bool, DType, Tensor, TensorData, TensorPrimitive, Tolerance, backend::Backend,
        ops::FloatTensor,
    },
};

type Ad = Autodiff<Flex>;

/// f32 against f64: a few units in the last place (6e-8 each) of the value, for
/// arguments whose own rounding is not amplified by a steep exponential.
const ROUNDING: f64 = 1e-6;

/// Two f32 computations that add up to a few thousand terms of order one in
/// different orders.
const ORDER: f32 = 2e-5;

/// Half precision: the composed operations round after each step, the fused ones
/// once; a unit in the last place is 1e-3 (f16) or 8e-3 (bf16) of the value.
const HALF: [(DType, f32); 2] = [(DType::F16, 4e-3), (DType::BF16, 3e-2)];

/// Central differences in f32: the square root of its precision, with room for
/// the third derivative.
const DIFFERENCES: f32 = 1e-2;

fn random<B: Backend, const D: usize>(shape: [usize; D]) -> Tensor<B, D> {
    // deterministic and different from place to place and shape to shape
    let count = shape.iter().product::<usize>();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ count as u64;
    let values = (0..count).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 * 2.0 - 2.0
    });
    let data = TensorData::new(values.collect::<Vec<f32>>(), shape);
    Tensor::from_data(data, &B::Device::default())
}

fn hidden(shape: [usize; 4]) -> Tensor<Flex, 4, Bool> {
    random::<Flex, 4>(shape).greater_elem(0.4)
}

fn wrap<B: Backend, const D: usize>(x: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(x))
}

fn unwrap<B: Backend, const D: usize>(x: &Tensor<B, D>) -> FloatTensor<B> {
    x.clone().into_primitive().tensor()
}

fn assert_close<B: Backend, const D: usize>(
    left: Tensor<B, D>,
    right: Tensor<B, D>,
    tolerance: f32,
) {
    assert_eq!(left.dtype(), right.dtype());
    let left = left.cast(DType::F32).into_data();
    let right = right.cast(DType::F32).into_data();
    left.assert_approx_eq::<f32>(&right, Tolerance::rel_abs(tolerance, tolerance));
}

/// Views of one tensor's values: dense, permuted, a window of a larger one.
fn views<const D: usize>(x: Tensor<Flex, D>) -> [Tensor<Flex, D>; 3] {
    let dims = x.dims();
    let permuted =
        Tensor::<Flex, D>::from_data(x.clone().swap_dims(0, D - 1).into_data(), &x.device());
    let mut larger = dims;
    larger[0] += 2;
    larger[D - 1] += 3;
    let window = dims.map(|dim| 0..dim);
    let mut place = window.clone();
    place[0] = 1..dims[0] + 1;
    place[D - 1] = 2..dims[D - 1] + 2;
    let frame = Tensor::zeros(larger, &x.device()).slice_assign(place.clone(), x.clone());
    [x, permuted.swap_dims(0, D - 1), frame.slice(place)]
}

/// The gradients of some inputs of a scalar function.
fn gradients<const D: usize>(
    inputs: &[Tensor<Flex, D>],
    f: impl Fn(&[Tensor<Ad, D>]) -> Tensor<Ad, D>,
) -> Vec<Tensor<Flex, D>> {
    let leaves: Vec<_> = inputs
        .iter()
        .map(|x| Tensor::<Ad, D>::from_inner(x.clone()).require_grad())
        .collect();
    let output = f(&leaves);
    let weights = random::<Ad, D>(output.dims());
    let grads = (output * weights).sum().backward();
    leaves
        .iter()
        .map(|leaf| leaf.grad(&grads).unwrap())
        .collect()
}

fn compare_gradients<const D: usize>(
    inputs: &[Tensor<Flex, D>],
    tolerance: f32,
    fused: impl Fn(&[Tensor<Ad, D>]) -> Tensor<Ad, D>,
    composed: impl Fn(&[Tensor<Ad, D>]) -> Tensor<Ad, D>,
) {
    let expected = gradients(inputs, composed);
    for (actual, expected) in gradients(inputs, fused).into_iter().zip(expected) {
        assert_eq!(actual.dims(), expected.dims());
        assert_close(actual, expected, tolerance);
    }
}
