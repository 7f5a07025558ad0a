//! RMS norm.

use burn::{backend::Flex, tensor::Tensor};

use super::{HALF, ORDER, assert_close, random, unwrap, views, wrap};
use crate::kernel::{composed, rms_norm};

#[test]
fn rms_norm_agrees_with_composed() {
    for shape in [[1, 1], [2, 5], [70, 64], [3, 1031]] {
        let weight = random::<Flex, 1>([shape[1]]);
        for x in views(random::<Flex, 2>(shape)) {
            let expected = composed::rms_norm::<Flex>(unwrap(&x), unwrap(&weight), 1e-6);
            assert_close::<Flex, 2>(
                rms_norm(x.clone(), weight.clone(), 1e-6),
                wrap(expected),
                ORDER,
            );
            for (dtype, tolerance) in HALF {
                let (x, weight) = (x.clone().cast(dtype), weight.clone().cast(dtype));
                let expected = composed::rms_norm::<Flex>(unwrap(&x), unwrap(&weight), 1e-6);
                assert_close::<Flex, 2>(rms_norm(x, weight, 1e-6), wrap(expected), tolerance);
            }
        }
    }
}

#[test]
fn rms_norm_of_zeros_and_nan() {
    let x = Tensor::<Flex, 2>::from_floats([[0.0, 0.0], [1.0, f32::NAN]], &Default::default());
    let y: Vec<f32> = rms_norm(x, Tensor::ones([2], &Default::default()), 1e-6)
        .into_data()
        .to_vec()
        .unwrap();
    assert_eq!(y[..2], [0.0, 0.0]);
    assert!(y[2].is_nan() && y[3].is_nan());
}

#[test]
#[should_panic(expected = "a norm with 4 weights does not fit a width of 8")]
fn rms_norm_refuses_another_width() {
    rms_norm(random::<Flex, 2>([2, 8]), random([4]), 1e-6);
}
