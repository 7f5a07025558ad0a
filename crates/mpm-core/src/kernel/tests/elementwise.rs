//! GELU, gated GELU and SiLU.

use burn::{
    backend::Flex,
    tensor::{DType, Tensor},
};
use std::f64::consts::FRAC_1_SQRT_2;

use super::{HALF, ORDER, ROUNDING, assert_close, random, unwrap, views, wrap};
use crate::kernel::{MpmBackend, composed, gated_gelu, gelu, silu};

#[test]
fn gelu_is_accurate() {
    let values: Vec<f32> = (-6000..10_000).map(|i| i as f32 * 1e-3 + 1e-4).collect();
    let x = Tensor::<Flex, 1>::from_data(&values[..], &Default::default());
    let wide = x.clone().cast(DType::F64);
    let erf = wide.clone().mul_scalar(FRAC_1_SQRT_2).erf();
    let expected: Vec<f64> = (wide.mul_scalar(0.5) * erf.add_scalar(1.0))
        .into_data()
        .to_vec()
        .unwrap();
    let actual: Vec<f32> = gelu(x).into_data().to_vec().unwrap();
    for ((x, expected), actual) in values.iter().zip(expected).zip(actual) {
        let error = (f64::from(actual) - expected).abs();
        // the exponent of the tail carries the rounding of x² / 2
        let allowed = ROUNDING * expected.abs() * f64::from(1.0 + x.min(0.0).powi(2) / 4.0);
        assert!(error <= allowed, "gelu({x}) = {actual}, not {expected}");
    }
}

#[test]
fn gelu_of_special_values() {
    let x = Tensor::<Flex, 1>::from_floats(
        [f32::NAN, f32::INFINITY, 50.0, -50.0, 0.0],
        &Default::default(),
    );
    let y: Vec<f32> = gelu(x).into_data().to_vec().unwrap();
    assert!(y[0].is_nan());
    assert_eq!(y[1..], [f32::INFINITY, 50.0, 0.0, 0.0]);
}

#[test]
fn elementwise_operations_agree_with_composed() {
    for shape in [[1, 1], [1, 7], [3, 16], [5, 513], [130, 257], [2, 0]] {
        let gate = random::<Flex, 2>(shape).mul_scalar(3.0);
        let value = random::<Flex, 2>(shape).sub_scalar(0.3);
        for gate in views(gate) {
            let expected = wrap(composed::gelu::<Flex>(unwrap(&gate)));
            assert_close::<Flex, 2>(gelu(gate.clone()), expected, ORDER);
            let expected = wrap(composed::silu::<Flex>(unwrap(&gate)));
            assert_close::<Flex, 2>(silu(gate.clone()), expected, ORDER);
            let expected = composed::silu_backward::<Flex>(unwrap(&gate), unwrap(&value));
            let actual = Flex::silu_2d_backward(unwrap(&gate), unwrap(&value));
            assert_close::<Flex, 2>(wrap(actual), wrap(expected), ORDER);
            let expected = wrap(composed::gated_gelu::<Flex>(unwrap(&gate), unwrap(&value)));
            assert_close::<Flex, 2>(gated_gelu(gate.clone(), value.clone()), expected, ORDER);
            let expected = composed::gelu_backward::<Flex>(unwrap(&gate), unwrap(&value));
            let actual = Flex::gelu_2d_backward(unwrap(&gate), unwrap(&value));
            assert_close::<Flex, 2>(wrap(actual), wrap(expected), ORDER);
            for (dtype, tolerance) in HALF {
                let (gate, value) = (gate.clone().cast(dtype), value.clone().cast(dtype));
                let expected = composed::silu::<Flex>(unwrap(&gate));
                assert_close::<Flex, 2>(silu(gate.clone()), wrap(expected), tolerance);
                let expected = composed::gated_gelu::<Flex>(unwrap(&gate), unwrap(&value));
                assert_close::<Flex, 2>(gated_gelu(gate, value), wrap(expected), tolerance);
            }
        }
    }
}

#[test]
fn gelu_does_not_change_a_shared_input() {
    let x = random::<Flex, 2>([4, 33]);
    let before = x.to_data();
    let shared = gelu(x.clone());
    before.assert_eq(&x.to_data(), true);
    shared.into_data().assert_eq(&gelu(x).into_data(), true);
}

#[test]
fn silu_is_accurate() {
    let values: Vec<f32> = (-80_000..40_000).map(|i| i as f32 * 1e-3 + 1e-4).collect();
    let actual: Vec<f32> = silu(Tensor::<Flex, 1>::from_data(
        &values[..],
        &Default::default(),
    ))
    .into_data()
    .to_vec()
    .unwrap();
    for (x, actual) in values.into_iter().zip(actual) {
        let wide = f64::from(x);
        let expected = wide / (1.0 + (-wide).exp());
        let error = (f64::from(actual) - expected).abs();
        assert!(
            error <= ROUNDING * expected.abs(),
            "silu({x}) = {actual}, not {expected}"
        );
    }
}

#[test]
fn silu_of_special_values() {
    let x = Tensor::<Flex, 1>::from_floats(
        [f32::NAN, f32::INFINITY, 200.0, -200.0, 0.0],
        &Default::default(),
    );
    let y: Vec<f32> = silu(x).into_data().to_vec().unwrap();
    assert!(y[0].is_nan());
    assert_eq!(y[1..3], [f32::INFINITY, 200.0]);
    // the value itself, 3e-85, is beyond f32
    assert!(y[3].abs() < 1e-35);
    assert_eq!(y[4], 0.0);
}

#[test]
#[should_panic(expected = "a gate of shape [2, 8] does not fit a value of shape [2, 4]")]
fn gated_gelu_refuses_another_shape() {
    gated_gelu(random::<Flex, 2>([2, 8]), random([2, 4]));
}
