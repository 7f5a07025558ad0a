//! Cross entropy.

use burn::{
    backend::Flex,
    tensor::{Int, Tensor, backend::Backend},
};

use super::{HALF, ORDER, assert_close, compare_gradients, random, unwrap, views, wrap};
use crate::kernel::{MpmBackend, composed, cross_entropy};

const SHAPES: [[usize; 2]; 5] = [[1, 1], [3, 5], [2, 48], [70, 1031], [5, 20_000]];

fn classes<B: Backend>([rows, width]: [usize; 2]) -> Tensor<B, 1, Int> {
    let classes = (0..rows).map(|row| (row * 7919 % width) as i64);
    Tensor::from_data(
        classes.collect::<Vec<_>>().as_slice(),
        &B::Device::default(),
    )
}

#[test]
fn cross_entropy_agrees_with_composed() {
    for shape in SHAPES {
        let classes = classes::<Flex>(shape);
        let picked = || classes.clone().into_primitive();
        let grad = random::<Flex, 1>([shape[0]]);
        for x in views(random::<Flex, 2>(shape).mul_scalar(8.0)) {
            let expected = composed::cross_entropy::<Flex>(unwrap(&x), picked());
            assert_close::<Flex, 1>(
                cross_entropy(x.clone(), classes.clone()),
                wrap(expected),
                ORDER,
            );
            for (dtype, tolerance) in HALF {
                let x = x.clone().cast(dtype);
                let expected = composed::cross_entropy::<Flex>(unwrap(&x), picked());
                assert_close::<Flex, 1>(
                    cross_entropy(x.clone(), classes.clone()),
                    wrap(expected),
                    ORDER,
                );
                let backward = [
                    Flex::cross_entropy_2d_backward,
                    composed::cross_entropy_backward::<Flex>,
                ];
                let [actual, expected] = backward
                    .map(|backward| wrap::<Flex, 2>(backward(unwrap(&x), picked(), unwrap(&grad))));
                assert_close(actual, expected, tolerance);
            }
        }
    }
}

#[test]
fn gradients_agree_with_those_of_log_softmax() {
    for shape in SHAPES {
        compare_gradients(
            &[random::<Flex, 2>(shape).mul_scalar(8.0)],
            ORDER,
            |inputs| cross_entropy(inputs[0].clone(), classes(shape)).unsqueeze_dim(1),
            |inputs| {
                let likelihood = burn::tensor::activation::log_softmax(inputs[0].clone(), 1);
                likelihood.gather(1, classes(shape).unsqueeze_dim(1)).neg()
            },
        );
    }
}

#[test]
fn large_logits_stay_finite_and_nan_stays_nan() {
    let x = Tensor::<Flex, 2>::from_floats(
        [[1e4, -1e4, 0.0], [1.0, f32::NAN, 0.0]],
        &Default::default(),
    );
    let classes = Tensor::from_ints([1, 0], &Default::default());
    let y: Vec<f32> = cross_entropy(x, classes).into_data().to_vec().unwrap();
    assert_eq!(y[0], 2e4);
    assert!(y[1].is_nan());
}

#[test]
fn nothing_costs_nothing() {
    let x = random::<Flex, 2>([0, 7]);
    assert_eq!(cross_entropy(x, classes([0, 7])).dims(), [0]);
}

#[test]
#[should_panic(expected = "3 rows of logits do not fit 4 classes")]
fn cross_entropy_refuses_another_number_of_classes() {
    cross_entropy(random::<Flex, 2>([3, 7]), classes([4, 7]));
}
