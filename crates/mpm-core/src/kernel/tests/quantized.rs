//! Linear layers with quantized weights.

use burn::{
    backend::Flex,
    tensor::{DType, Tensor, TensorData},
};

use super::{Ad, HALF, ORDER, assert_close, random, unwrap, views, wrap};
use crate::{
    kernel::{
        MpmBackend, composed, dequantized,
        flex::{few_rows_by_cpu, few_rows_portable},
        quantized_linear,
    },
    quantization::{BlockSize, QuantizationScheme, QuantizedMatrix, quantize},
};

/// f32 sums of a few hundred products against those in f64: roundings of 6e-8 of the sum of the
/// magnitudes. Codes of 4 bits count from 8 below what they mean, which doubles that sum.
const SUMS: f64 = 1e-6;

/// Widths that are no multiples of the groups and panels that the kernels work with, as far as
/// the scheme allows.
fn widths(scheme: QuantizationScheme) -> Vec<usize> {
    match scheme.block() {
        BlockSize::B32 => vec![32, 96, 352],
        BlockSize::B64 => vec![64, 320],
        BlockSize::B128 => vec![128, 384],
        BlockSize::Row => vec![4, 36, 64, 300],
    }
}

fn matrix(scheme: QuantizationScheme, shape: [usize; 2]) -> QuantizedMatrix<Flex> {
    let weight = random::<Flex, 2>(shape).add_scalar(1.0).into_data();
    let quantized = quantize(&weight, scheme).unwrap();
    QuantizedMatrix::from_quantized(quantized, &Default::default())
}

/// Numbers of the input that are rounded together, at most.
const GROUP: usize = 64;

/// A sum of products in f64.
#[derive(Clone, Copy)]
struct Sum {
    value: f64,
    /// The sum of the magnitudes.
    magnitude: f64,
    /// By how much it changes when the input is rounded to integers of 16 bits.
    rounding: f64,
}

/// `x · weightᵀ` in f64. Up to eight rows may be rounded.
fn reference(x: &Tensor<Flex, 2>, weight: &QuantizedMatrix<Flex>) -> Vec<Sum> {
    let ([rows, d_in], d_out) = (x.dims(), weight.d_out());
    let x: Vec<f32> = x.clone().cast(DType::F32).into_data().to_vec().unwrap();
    let weight: Vec<f32> = weight.dequantize().into_data().to_vec().unwrap();
    let half_step = if rows <= 8 { 0.5 / 32767.0 } else { 0.0 };
    let sum = |row: usize, column: usize| {
        let x = x[row * d_in..][..d_in].chunks(GROUP);
        let weight = weight[column * d_in..][..d_in].chunks(GROUP);
        let mut sum = Sum {
            value: 0.0,
            magnitude: 0.0,
            rounding: 0.0,
        };
        for (x, weight) in x.zip(weight) {
            let largest = x.iter().fold(0.0_f32, |largest, x| largest.max(x.abs()));
            for (&x, &weight) in x.iter().zip(weight) {
                let (x, weight) = (f64::from(x), f64::from(weight));
                sum.value += x * weight;
                sum.magnitude += (x * weight).abs();
                sum.rounding += half_step * f64::from(largest) * weight.abs();
            }
        }
        sum
    };
    (0..rows * d_out)
        .map(|i| sum(i / d_out, i % d_out))
        .collect()
}

fn assert_sums(actual: &[f32], expected: &[Sum], tolerance: f64) {
    assert_eq!(actual.len(), expected.len());
    for (&actual, expected) in actual.iter().zip(expected) {
        let error = (f64::from(actual) - expected.value).abs();
        let Sum {
            value,
            magnitude,
            rounding,
        } = expected;
        assert!(
            error <= tolerance * magnitude + rounding,
            "{actual} instead of {value}, a sum of magnitudes of {magnitude}"
        );
    }
}

#[test]
fn dequantized_agrees_with_composed() {
    for scheme in QuantizationScheme::ALL {
        for d_in in widths(scheme) {
            let weight = matrix(scheme, [5, d_in]);
            let (codes, scales) = (weight.codes.val(), weight.scales.val());
            let expected = wrap::<Flex, 2>(composed::dequantized::<Flex>(
                codes.clone().into_primitive(),
                unwrap(&scales),
                d_in,
            ));
            let actual = dequantized(codes.clone(), scales.clone(), d_in);
            actual.into_data().assert_eq(&expected.into_data(), true);
            // scales of another type take the composed way
            let wide = dequantized(codes, scales.cast(DType::F32), d_in);
            wide.into_data()
                .assert_eq(&weight.dequantize().into_data(), true);
        }
    }
}

#[test]
fn quantized_linear_agrees_with_f64() {
    for scheme in QuantizationScheme::ALL {
        for d_in in widths(scheme) {
            for d_out in [1, 2, 7, 65] {
                let weight = matrix(scheme, [d_out, d_in]);
                for rows in (1..=9).chain([100]) {
                    let x = random::<Flex, 2>([rows, d_in]).add_scalar(0.8);
                    let expected = reference(&x, &weight);
                    let actual = weight.linear(x.clone(), None);
                    let composed = wrap::<Flex, 2>(composed::quantized_linear::<Flex>(
                        unwrap(&x),
                        weight.codes.val().into_primitive(),
                        unwrap(&weight.scales.val()),
                        None,
                    ));
                    for way in [actual, composed] {
                        let values: Vec<f32> = way.into_data().to_vec().unwrap();
                        assert_sums(&values, &expected, SUMS);
                    }
                }
            }
        }
    }
}

#[test]
fn every_way_for_few_rows_agrees_with_f64() {
    for scheme in QuantizationScheme::ALL {
        for d_in in widths(scheme) {
            let weight = matrix(scheme, [13, d_in]);
            let (codes, scales) = (weight.codes.val(), weight.scales.val());
            let (codes, scales) = (codes.into_primitive(), unwrap(&scales));
            for rows in 1..=8 {
                let x = random::<Flex, 2>([rows, d_in]).add_scalar(0.8);
                let rounded = reference(&x, &weight);
                let exact = rounded.iter().map(|&sum| Sum {
                    rounding: 0.0,
                    ..sum
                });
                let exact: Vec<_> = exact.collect();
                let x: Vec<f32> = x.into_data().to_vec().unwrap();
                let ways = [
                    (Some(few_rows_portable(&x, &codes, &scales, rows)), &exact),
                    (few_rows_by_cpu(&x, &codes, &scales, rows), &rounded),
                ];
                for (columns, expected) in ways {
                    let Some(columns) = columns else { continue };
                    let turned: Vec<f32> = (0..rows * 13)
                        .map(|i| columns[i % 13 * rows + i / 13])
                        .collect();
                    assert_sums(&turned, expected, SUMS);
                }
            }
        }
    }
}

#[test]
fn rows_of_any_type_and_layout_are_multiplied() {
    for scheme in [QuantizationScheme::INT4, QuantizationScheme::INT8] {
        let weight = matrix(scheme, [33, 192]);
        let bias = random::<Flex, 1>([33]);
        for rows in [1, 3, 20] {
            for x in views(random::<Flex, 2>([rows, 192]).add_scalar(0.8)) {
                let product = weight.linear(x.clone(), Some(bias.clone()));
                let values: Vec<f32> = product.clone().into_data().to_vec().unwrap();
                let without: Vec<f32> = (product.clone() - bias.clone().unsqueeze())
                    .into_data()
                    .to_vec()
                    .unwrap();
                assert_eq!(values.len(), rows * 33);
                // the bias is added and subtracted again, rounding each time
                assert_sums(&without, &reference(&x, &weight), 2.0 * SUMS);
                for (dtype, tolerance) in HALF {
                    let half = x.clone().cast(dtype);
                    let expected = reference(&half, &weight);
                    let actual = weight.linear(half.clone(), None);
                    assert_eq!(actual.dtype(), dtype);
                    let actual: Vec<f32> = actual.cast(DType::F32).into_data().to_vec().unwrap();
                    // computed in f32, and rounded once
                    assert_sums(&actual, &expected, f64::from(tolerance));
                    let composed = composed::quantized_linear::<Flex>(
                        unwrap(&half),
                        weight.codes.val().into_primitive(),
                        unwrap(&weight.scales.val()),
                        None,
                    );
                    // each weight is rounded as well
                    let composed = wrap::<Flex, 2>(composed).cast(DType::F32).into_data();
                    assert_sums(&composed.to_vec().unwrap(), &expected, f64::from(tolerance));
                }
            }
        }
    }
}

#[test]
fn other_ranks_and_windows_of_rows_are_multiplied() {
    let weight = matrix(QuantizationScheme::INT4, [24, 128]);
    let x = random::<Flex, 3>([2, 3, 128]);
    let output = weight.linear(x.clone(), None);
    assert_eq!(output.dims(), [2, 3, 24]);
    let window = weight.narrow_rows(5, 9);
    assert_eq!(window.d_out(), 9);
    let expected = output.slice([0..2, 0..3, 5..14]);
    assert_close(window.linear(x, None), expected, ORDER);
    let none = weight.linear(
        Tensor::<Flex, 2>::empty([0, 128], &Default::default()),
        None,
    );
    assert_eq!(none.dims(), [0, 24]);
    let codes = Tensor::empty([0, 16], (&Default::default(), DType::U32));
    let scales = Tensor::empty([0, 2], (&Default::default(), DType::F16));
    let none = quantized_linear(random::<Flex, 2>([2, 128]), codes, scales, None);
    assert_eq!(none.dims(), [2, 0]);
}

#[test]
fn gradients_reach_the_input_and_the_bias() {
    for scheme in QuantizationScheme::ALL {
        let d_in = widths(scheme)[1];
        for (rows, d_out) in [(1, 7), (5, 33), (40, 65)] {
            let weight = matrix(scheme, [d_out, d_in]);
            let x = random::<Flex, 2>([rows, d_in]);
            let bias = random::<Flex, 1>([d_out]);
            let cotangent = random::<Ad, 2>([rows, d_out]);
            let run = |fused: bool, with_bias: bool| {
                let x = Tensor::<Ad, 2>::from_inner(x.clone()).require_grad();
                let bias = Tensor::<Ad, 1>::from_inner(bias.clone()).require_grad();
                let added = with_bias.then(|| bias.clone());
                let output = if fused {
                    let codes = Tensor::from_inner(weight.codes.val());
                    let scales = Tensor::from_inner(weight.scales.val());
                    quantized_linear(x.clone(), codes, scales, added)
                } else {
                    let weight = Tensor::<Ad, 2>::from_inner(weight.dequantize());
                    let product = x.clone().matmul(weight.transpose());
                    match added {
                        Some(bias) => product + bias.unsqueeze(),
                        None => product,
                    }
                };
                let grads = (output * cotangent.clone()).sum().backward();
                (x.grad(&grads).unwrap(), bias.grad(&grads))
            };
            let tolerance = ORDER * (d_out as f32).sqrt();
            for with_bias in [false, true] {
                let (actual, actual_bias) = run(true, with_bias);
                let (expected, expected_bias) = run(false, with_bias);
                assert_close::<Flex, 2>(actual, expected, tolerance);
                assert_eq!(actual_bias.is_some(), with_bias);
                if let (Some(actual), Some(expected)) = (actual_bias, expected_bias) {
                    assert_close::<Flex, 1>(actual, expected, tolerance);
                }
            }
            for (dtype, tolerance) in HALF {
                let grad = random::<Flex, 2>([rows, d_out]).cast(dtype);
                let actual = Flex::quantized_linear_2d_x_backward(
                    weight.codes.val().into_primitive(),
                    unwrap(&weight.scales.val()),
                    unwrap(&grad),
                    d_in,
                );
                let expected = grad.cast(DType::F32).matmul(weight.dequantize());
                let actual = wrap::<Flex, 2>(actual);
                assert_eq!(actual.dtype(), dtype);
                let actual = actual.cast(DType::F32);
                assert_close::<Flex, 2>(actual, expected, tolerance * (d_out as f32).sqrt());
            }
        }
    }
}

/// Panels of several rows and column tasks of the backward pass.
#[test]
fn large_matrices_are_multiplied_in_panels() {
    for scheme in [QuantizationScheme::INT4, QuantizationScheme::INT8] {
        let [d_out, d_in] = [2100, 640];
        let weight = matrix(scheme, [d_out, d_in]);
        let x = random::<Flex, 2>([20, d_in]).add_scalar(0.8);
        let values: Vec<f32> = weight.linear(x.clone(), None).into_data().to_vec().unwrap();
        assert_sums(&values, &reference(&x, &weight), SUMS);
        let grad = random::<Flex, 2>([20, d_out]);
        let actual = wrap::<Flex, 2>(Flex::quantized_linear_2d_x_backward(
            weight.codes.val().into_primitive(),
            unwrap(&weight.scales.val()),
            unwrap(&grad),
            d_in,
        ));
        let expected = grad.matmul(weight.dequantize());
        assert_close::<Flex, 2>(actual, expected, ORDER * (d_out as f32).sqrt());
    }
}

/// The largest code times the largest scale, and the smallest.
#[test]
fn extreme_scales_are_multiplied() {
    for (value, dtype) in [(65504.0, DType::F16), (6e-8, DType::F32)] {
        for scheme in QuantizationScheme::ALL {
            let values = vec![value; 128 * 3];
            let data = TensorData::new(values, [3, 128]).convert_dtype(dtype);
            let quantized = quantize(&data, scheme).unwrap();
            let weight = QuantizedMatrix::<Flex>::from_quantized(quantized, &Default::default());
            let x = Tensor::<Flex, 2>::ones([1, 128], &Default::default());
            let expected = reference(&x, &weight);
            let actual: Vec<f32> = weight.linear(x, None).into_data().to_vec().unwrap();
            assert!(actual.iter().all(|value| value.is_finite()));
            assert_sums(&actual, &expected, SUMS);
        }
    }
}

/// Numbers that differ in size lose nothing to their neighbours in other groups, and what is not
/// a number reaches the sums.
#[test]
fn inputs_of_any_size_are_multiplied() {
    for scheme in QuantizationScheme::ALL {
        let weight = matrix(scheme, [3, 128]);
        let product = |x: &[f32]| -> Vec<f32> {
            let x = TensorData::new(x.to_vec(), [1, 128]);
            let x = Tensor::<Flex, 2>::from_data(x, &Default::default());
            let product = weight.linear(x, None);
            product.into_data().to_vec().unwrap()
        };
        let mut x = [1e-3_f32; 128];
        x[64..].fill(1e4);
        for (first, second) in [(1.0, 1.0), (0.0, 1.0), (1e30, 1e30), (1e-30, 1e-30)] {
            let mut x = x;
            x[..64].iter_mut().for_each(|x| *x *= first);
            x[64..].iter_mut().for_each(|x| *x *= second);
            let data = TensorData::new(x.to_vec(), [1, 128]);
            let expected = reference(&Tensor::from_data(data, &Default::default()), &weight);
            assert_sums(&product(&x), &expected, SUMS);
        }
        for spoilt in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            x[70] = spoilt;
            assert!(product(&x).iter().all(|value| !value.is_finite()));
        }
    }
}

#[test]
#[should_panic(
    expected = "codes of shape [3, 8] and scales of shape [3, 1] are not those of a \
                           quantized matrix of width 48"
)]
fn quantized_linear_refuses_another_width() {
    let weight = matrix(QuantizationScheme::INT4, [3, 64]);
    let x = random::<Flex, 2>([1, 48]);
    quantized_linear(x, weight.codes.val(), weight.scales.val(), None);
}

#[test]
#[should_panic(expected = "an input of width 32 does not fit a linear layer of 64")]
fn quantized_matrix_refuses_another_width() {
    matrix(QuantizationScheme::INT4, [3, 64]).linear(random::<Flex, 2>([1, 32]), None);
}

#[test]
#[should_panic(expected = "a linear layer to a width of 3 cannot have 1 biases")]
fn quantized_linear_refuses_other_biases() {
    matrix(QuantizationScheme::INT4, [3, 64]).linear(random::<Flex, 2>([1, 64]), Some(random([1])));
}
