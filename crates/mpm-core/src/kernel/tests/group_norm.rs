//! Group norm.

use burn::{
    backend::Flex,
    tensor::{DType, Tensor},
};

use super::{Ad, HALF, ORDER, assert_close, compare_gradients, random, unwrap, views, wrap};
use crate::kernel::{
    Activation, GroupNormOptions, MpmBackend, composed, group_norm, group_norm_silu,
};

/// Shape of the pictures and number of groups: odd ones, channels of one element, one channel
/// per group, all channels in a group, channels of more than a block of 1024 elements.
const SHAPES: [([usize; 4], usize); 7] = [
    ([1, 1, 1, 1], 1),
    ([2, 6, 5, 7], 3),
    ([5, 8, 1, 1], 2),
    ([3, 64, 8, 8], 32),
    ([2, 12, 3, 1], 12),
    ([1, 9, 16, 16], 1),
    ([2, 4, 40, 41], 2),
];

/// So large that a group of three elements that lie close together does not amplify rounding.
const EPSILON: f64 = 1e-2;

/// A mean of a thousand standard deviations leaves a thousandth of f32's digits.
const FAR_FROM_ZERO: f32 = 1e-3;

fn options(groups: usize, activation: Activation) -> GroupNormOptions {
    GroupNormOptions {
        groups,
        epsilon: EPSILON,
        activation,
    }
}

fn fused(
    x: Tensor<Flex, 4>,
    weight: Tensor<Flex, 1>,
    bias: Tensor<Flex, 1>,
    options: GroupNormOptions,
) -> Tensor<Flex, 4> {
    let function = match options.activation {
        Activation::Identity => group_norm,
        Activation::Silu => group_norm_silu,
    };
    function(x, weight, bias, options.groups, options.epsilon)
}

#[test]
fn group_norm_agrees_with_composed() {
    for (shape, groups) in SHAPES {
        let weight = random::<Flex, 1>([shape[1]]);
        let bias = random::<Flex, 1>([shape[1]]).add_scalar(0.5);
        for activation in [Activation::Identity, Activation::Silu] {
            let options = options(groups, activation);
            let compare = |x: Tensor<Flex, 4>, tolerance| {
                let dtype = x.dtype();
                let (weight, bias) = (weight.clone().cast(dtype), bias.clone().cast(dtype));
                let expected = composed::group_norm::<Flex>(
                    unwrap(&x),
                    unwrap(&weight),
                    unwrap(&bias),
                    options,
                );
                assert_close(fused(x, weight, bias, options), wrap(expected), tolerance);
            };
            for x in views(random::<Flex, 4>(shape)) {
                compare(x.clone(), ORDER);
                for (dtype, tolerance) in HALF {
                    compare(x.clone().cast(dtype), tolerance);
                }
            }
        }
    }
}

#[test]
fn group_norm_keeps_its_digits_far_from_zero() {
    let x = random::<Flex, 4>([2, 6, 40, 41]).add_scalar(1000.0);
    let weight = Tensor::<Flex, 1>::ones([6], &x.device());
    let bias = Tensor::<Flex, 1>::zeros([6], &x.device());
    let options = options(2, Activation::Identity);
    // the composed operations, which take all other element types
    let expected = fused(
        x.clone().cast(DType::F64),
        weight.clone().cast(DType::F64),
        bias.clone().cast(DType::F64),
        options,
    );
    assert_close(
        fused(x, weight, bias, options),
        expected.cast(DType::F32),
        FAR_FROM_ZERO,
    );
}

#[test]
fn group_norm_gradients_agree_with_composed() {
    for (shape, groups) in SHAPES {
        let channels = [1, shape[1], 1, 1];
        let inputs = [
            random(shape),
            random::<Flex, 4>(channels),
            random::<Flex, 4>(channels).add_scalar(0.5),
        ];
        let flat = |x: &Tensor<Ad, 4>| x.clone().reshape([shape[1]]);
        for activation in [Activation::Identity, Activation::Silu] {
            let options = options(groups, activation);
            // sums over pictures of as many terms
            let terms = shape[0] * shape[2] * shape[3];
            compare_gradients(
                &inputs,
                ORDER * (terms as f32).sqrt(),
                |x| {
                    let function = match activation {
                        Activation::Identity => group_norm,
                        Activation::Silu => group_norm_silu,
                    };
                    function(x[0].clone(), flat(&x[1]), flat(&x[2]), groups, EPSILON)
                },
                |x| {
                    wrap(composed::group_norm::<Ad>(
                        unwrap(&x[0]),
                        unwrap(&flat(&x[1])),
                        unwrap(&flat(&x[2])),
                        options,
                    ))
                },
            );
        }
    }
}

#[test]
fn composed_backward_of_group_norm_agrees_with_fused() {
    let shape = [3, 6, 5, 7];
    let [x, grad] = [0.1, 0.8].map(|shift| random::<Flex, 4>(shape).sub_scalar(shift));
    let [weight, bias] = [0.0, 0.4].map(|shift| random::<Flex, 1>([6]).sub_scalar(shift));
    for activation in [Activation::Identity, Activation::Silu] {
        for (dtype, tolerance) in [(DType::F32, ORDER)].into_iter().chain(HALF) {
            let [x, grad] = [&x, &grad].map(|x| x.clone().cast(dtype));
            let [weight, bias] = [&weight, &bias].map(|x| x.clone().cast(dtype));
            let run = |function: fn(_, _, _, _, _) -> _| {
                function(
                    unwrap(&x),
                    unwrap(&weight),
                    unwrap(&bias),
                    options(2, activation),
                    unwrap(&grad),
                )
            };
            let fused = run(Flex::group_norm_4d_backward);
            let expected = run(composed::group_norm_backward::<Flex>);
            assert_close::<Flex, 4>(wrap(fused.x), wrap(expected.x), tolerance);
            assert_close::<Flex, 1>(wrap(fused.weight), wrap(expected.weight), tolerance);
            assert_close::<Flex, 1>(wrap(fused.bias), wrap(expected.bias), tolerance);
        }
    }
}

#[test]
fn group_norm_of_no_pictures_and_nan() {
    let device = Default::default();
    let (weight, bias) = (Tensor::ones([4], &device), Tensor::zeros([4], &device));
    let none = Tensor::<Flex, 4>::zeros([0, 4, 3, 3], &device);
    assert_eq!(
        group_norm(none, weight.clone(), bias.clone(), 2, 1e-5).dims(),
        [0, 4, 3, 3]
    );
    let x = random::<Flex, 4>([1, 4, 2, 1]).slice_fill([0..1, 3..4, 1..2, 0..1], f32::NAN);
    let y: Vec<f32> = group_norm(x, weight, bias, 2, 1e-5)
        .into_data()
        .to_vec()
        .unwrap();
    assert!(y[..4].iter().all(|y| y.is_finite()));
    assert!(y[4..].iter().all(|y| y.is_nan()));
}

#[test]
#[should_panic(expected = "10 channels do not divide into 4 groups")]
fn group_norm_refuses_groups_that_do_not_divide() {
    let weight = Tensor::ones([10], &Default::default());
    group_norm(
        random::<Flex, 4>([1, 10, 2, 2]),
        weight.clone(),
        weight,
        4,
        1e-5,
    );
}

#[test]
#[should_panic(expected = "does not fit 10 channels")]
fn group_norm_refuses_weights_of_other_channels() {
    let weight = Tensor::ones([5], &Default::default());
    group_norm(
        random::<Flex, 4>([1, 10, 2, 2]),
        weight.clone(),
        weight,
        5,
        1e-5,
    );
}
