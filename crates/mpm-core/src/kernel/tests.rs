//! Fused operations against composed ones, against f64 and against finite
//! differences.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use burn::{
    backend::{Autodiff, Flex},
    tensor::{
        Bool, DType, Tensor, TensorData, TensorPrimitive, Tolerance, backend::Backend,
        ops::FloatTensor,
    },
};
use std::f64::consts::FRAC_1_SQRT_2;

use super::{MpmBackend, assign, attention, composed, gated_gelu, gelu, linear, rms_norm};

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
            let expected = wrap(composed::gated_gelu::<Flex>(unwrap(&gate), unwrap(&value)));
            assert_close::<Flex, 2>(gated_gelu(gate.clone(), value.clone()), expected, ORDER);
            let expected = composed::gelu_backward::<Flex>(unwrap(&gate), unwrap(&value));
            let actual = Flex::gelu_2d_backward(unwrap(&gate), unwrap(&value));
            assert_close::<Flex, 2>(wrap(actual), wrap(expected), ORDER);
            for (dtype, tolerance) in HALF {
                let (gate, value) = (gate.clone().cast(dtype), value.clone().cast(dtype));
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
fn linear_agrees_with_composed() {
    for rows in [1, 2, 3, 4, 5, 6, 7, 8, 9, 40, 600] {
        for [d_out, d_in] in [[1, 1], [3, 7], [65, 130], [33, 1040]] {
            let weight = random::<Flex, 2>([d_out, d_in]);
            for x in views(random::<Flex, 2>([rows, d_in]).sub_scalar(0.4)) {
                let product = wrap(composed::linear::<Flex>(unwrap(&x), unwrap(&weight), None));
                let bias = random::<Flex, 1>([d_out]);
                let expected: Tensor<Flex, 2> = product.clone() + bias.clone().unsqueeze();
                // sums of d_in terms of size 2: the error grows with their number
                let tolerance = ORDER * (d_in as f32).sqrt();
                let actual = linear(x.clone(), weight.clone(), None);
                assert_close::<Flex, 2>(actual, product, tolerance);
                let actual = linear(x.clone(), weight.clone(), Some(bias.clone()));
                assert_close::<Flex, 2>(actual, expected, tolerance);
                for (dtype, tolerance) in HALF {
                    let (x, weight) = (x.clone().cast(dtype), weight.clone().cast(dtype));
                    let expected = x
                        .clone()
                        .cast(DType::F32)
                        .matmul(weight.clone().cast(DType::F32).transpose());
                    let expected = expected + bias.clone().unsqueeze();
                    let actual = linear(x, weight, Some(bias.clone().cast(dtype)));
                    let expected = expected.cast(dtype);
                    assert_close::<Flex, 2>(actual, expected, tolerance * (d_in as f32).sqrt());
                }
            }
        }
    }
    let x = random::<Flex, 3>([2, 3, 8]);
    let transposed = random::<Flex, 2>([8, 5]);
    let expected = x.clone().matmul(transposed.clone().unsqueeze());
    assert_close(linear(x, transposed.transpose(), None), expected, ORDER);
    let none = linear(
        random::<Flex, 2>([20, 600]),
        Tensor::empty([0, 600], &Default::default()),
        None,
    );
    assert_eq!(none.dims(), [20, 0]);
}

#[test]
fn assign_writes_the_window_only_and_in_place() {
    let zeros = || Tensor::<Flex, 4>::zeros([2, 3, 6, 5], &Default::default());
    let window = [1..2, 0..3, 2..4, 1..5];
    let new = random::<Flex, 4>([1, 3, 2, 4]);
    let expected = zeros().slice_assign(window.clone(), new.clone());
    for new in views(new) {
        let buffer = zeros();
        let place = |x: &Tensor<Flex, 4>| unwrap(x).storage::<f32>().as_ptr();
        let before = place(&buffer);
        let assigned = assign(buffer, window.clone(), new.clone());
        assert_eq!(place(&assigned), before);
        assert_eq!(assigned.into_data(), expected.to_data());
        let held = zeros();
        assert_eq!(
            assign(held.clone(), window.clone(), new).into_data(),
            expected.to_data()
        );
        assert_eq!(held.into_data(), zeros().into_data());
    }
}

/// batch, heads, len_q, len_k, dim_head, dim_value. Some lengths end a little beyond a tile
/// of 128 queries or 512 keys.
const ATTENTION: [[usize; 6]; 8] = [
    [1, 1, 1, 1, 1, 1],
    [2, 3, 5, 7, 9, 4],
    [1, 2, 1, 640, 33, 40],
    [2, 2, 4, 17, 64, 71],
    [1, 2, 134, 70, 32, 32],
    [3, 4, 40, 20, 32, 16],
    [1, 1, 130, 1100, 16, 24],
    [1, 1, 3, 1100, 128, 128],
];

#[test]
fn attention_agrees_with_composed() {
    for [batch, heads, len_q, len_k, dim_head, dim_value] in ATTENTION {
        let query = random::<Flex, 4>([batch, heads, len_q, dim_head]);
        let key = random::<Flex, 4>([batch, heads, len_k, dim_head]);
        let value = random::<Flex, 4>([batch, heads, len_k, dim_value]);
        let biases = [
            None,
            Some(random([batch, heads, len_q, len_k])),
            Some(random([1, heads, len_q, len_k])),
            Some(random([batch, 1, 1, len_k])),
            Some(random([1, 1, len_q, 1])),
            Some(random([batch, len_q, len_k, heads]).permute([0, 3, 1, 2])),
        ];
        let masks = [
            None,
            Some(hidden([batch, 1, len_q, len_k])),
            Some(hidden([1, 1, 1, len_k]).expand([batch, heads, len_q, len_k])),
            Some(hidden([batch, heads, len_q, 1])),
        ];
        for bias in &biases {
            for mask in &masks {
                compare_attention([&query, &key, &value], bias.as_ref(), mask.as_ref());
            }
        }
    }
}

fn compare_attention(
    inputs: [&Tensor<Flex, 4>; 3],
    bias: Option<&Tensor<Flex, 4>>,
    mask: Option<&Tensor<Flex, 4, Bool>>,
) {
    let [query, key, value] = inputs.map(Tensor::clone);
    let expected = composed_attention([&query, &key, &value], bias, mask);
    let fused = |query, key, value| attention(query, key, value, bias.cloned(), mask.cloned(), 0.3);
    assert_close(
        fused(query.clone(), key.clone(), value.clone()),
        expected.clone(),
        ORDER,
    );

    // the layout that heads have after a projection
    let [query, key, value] = [query, key, value].map(|x| {
        Tensor::from_data(x.swap_dims(1, 2).into_data(), &Default::default()).swap_dims(1, 2)
    });
    assert_close(
        fused(query.clone(), key.clone(), value.clone()),
        expected.clone(),
        ORDER,
    );
    for [key, query] in views(key)
        .into_iter()
        .zip(views(query))
        .map(|(key, query)| [key, query])
    {
        assert_close(fused(query, key, value.clone()), expected.clone(), ORDER);
    }

    for (dtype, tolerance) in HALF {
        let [query, key, value] = inputs.map(|x| x.clone().cast(dtype));
        let bias = bias.map(|bias| bias.clone().cast(dtype));
        // inputs of half precision, computed in f32
        let wide = [&query, &key, &value].map(|x| x.clone().cast(DType::F32));
        let wide_bias = bias.clone().map(|bias| bias.cast(DType::F32));
        let [wide_query, wide_key, wide_value] = &wide;
        let expected =
            composed_attention([wide_query, wide_key, wide_value], wide_bias.as_ref(), mask);
        let actual = attention(query, key, value, bias, mask.cloned(), 0.3);
        assert_close(actual, expected.cast(dtype), tolerance);
    }
}

fn composed_attention(
    [query, key, value]: [&Tensor<Flex, 4>; 3],
    bias: Option<&Tensor<Flex, 4>>,
    mask: Option<&Tensor<Flex, 4, Bool>>,
) -> Tensor<Flex, 4> {
    wrap(composed::attention::<Flex>(
        unwrap(query),
        unwrap(key),
        unwrap(value),
        bias.map(unwrap),
        mask.map(|mask| mask.clone().into_primitive()),
        0.3,
    ))
}

#[test]
fn hidden_rows_get_zeros_and_nan_stays_nan() {
    for len_q in [2, 9] {
        let device = Default::default();
        let (key, value) = (random::<Flex, 4>([1, 1, 3, 8]), random([1, 1, 3, 8]));
        let row = Tensor::<Flex, 4>::full([1, 1, 1, 8], f32::NAN, &device);
        let query = Tensor::cat(vec![random([1, 1, len_q - 1, 8]), row], 2);
        let mask = Tensor::<Flex, 4>::zeros([1, 1, len_q, 3], &device)
            .slice_fill([0..1, 0..1, 0..1, 0..3], 1.0)
            .bool();
        let output = attention(query, key, value, None, Some(mask), 1.0);
        let output: Vec<f32> = output.into_data().to_vec().unwrap();
        assert_eq!(output[..8], [0.0; 8]);
        assert!(output[8..(len_q - 1) * 8].iter().all(|x| x.is_finite()));
        assert!(output[(len_q - 1) * 8..].iter().all(|x| x.is_nan()));
    }
}

#[test]
fn large_scores_do_not_overflow() {
    let query = Tensor::<Flex, 4>::full([1, 1, 6, 4], 50.0, &Default::default());
    let key = random::<Flex, 4>([1, 1, 9, 4]).mul_scalar(50.0);
    let value = random::<Flex, 4>([1, 1, 9, 4]);
    compare_attention([&query, &key, &value], None, None);
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

#[test]
fn gradients_agree_with_composed() {
    for shape in [[1, 1], [3, 19], [150, 64], [2, 1025]] {
        let inputs = [random(shape), random::<Flex, 2>(shape).sub_scalar(0.5)];
        compare_gradients(
            &inputs[..1],
            ORDER,
            |x| gelu(x[0].clone()),
            |x| wrap(composed::gelu::<Ad>(unwrap(&x[0]))),
        );
        compare_gradients(
            &inputs,
            ORDER,
            |x| gated_gelu(x[0].clone(), x[1].clone()),
            |x| wrap(composed::gated_gelu::<Ad>(unwrap(&x[0]), unwrap(&x[1]))),
        );
        let inputs = [random(shape), random::<Flex, 2>([1, shape[1]])];
        compare_gradients(
            &inputs,
            ORDER * (shape[0] as f32).sqrt(),
            |x| rms_norm(x[0].clone(), x[1].clone().squeeze_dim(0), 1e-6),
            |x| {
                let weight: Tensor<Ad, 1> = x[1].clone().squeeze_dim(0);
                wrap(composed::rms_norm::<Ad>(
                    unwrap(&x[0]),
                    unwrap(&weight),
                    1e-6,
                ))
            },
        );
        let inputs = [random(shape), random::<Flex, 2>([6, shape[1]])];
        compare_gradients(
            &inputs,
            ORDER * 10.0,
            |x| linear(x[0].clone(), x[1].clone(), None),
            |x| wrap(composed::linear::<Ad>(unwrap(&x[0]), unwrap(&x[1]), None)),
        );
        let [x, weight] = inputs;
        compare_gradients(
            &[x, weight, random([1, 6])],
            ORDER * 10.0,
            |x| {
                let bias = x[2].clone().squeeze_dim(0);
                linear(x[0].clone(), x[1].clone(), Some(bias))
            },
            |x| {
                let product = composed::linear::<Ad>(unwrap(&x[0]), unwrap(&x[1]), None);
                wrap::<Ad, 2>(product) + x[2].clone()
            },
        );
    }
}

#[test]
fn attention_gradients_agree_with_composed() {
    for [batch, heads, len_q, len_k, dim_head, dim_value] in ATTENTION {
        let inputs = [
            random([batch, heads, len_q, dim_head]),
            random([batch, heads, len_k, dim_head]),
            random([batch, heads, len_k, dim_value]),
        ];
        let biases = [
            None,
            Some(random([batch, heads, len_q, len_k])),
            Some(random([1, heads, len_q, len_k])),
            Some(random([batch, 1, len_q, 1])),
        ];
        for bias in biases {
            for mask in [None, Some(hidden([batch, 1, len_q, len_k]))] {
                let inputs: Vec<_> = inputs.iter().chain(&bias).cloned().collect();
                let mask = mask.map(Tensor::<Ad, 4, Bool>::from_inner);
                compare_gradients(
                    &inputs,
                    ORDER * 20.0,
                    |x| {
                        let [query, key, value] = [0, 1, 2].map(|i| x[i].clone());
                        attention(query, key, value, x.get(3).cloned(), mask.clone(), 0.3)
                    },
                    |x| {
                        wrap(composed::attention::<Ad>(
                            unwrap(&x[0]),
                            unwrap(&x[1]),
                            unwrap(&x[2]),
                            x.get(3).map(unwrap),
                            mask.clone().map(|mask| mask.into_primitive()),
                            0.3,
                        ))
                    },
                );
            }
        }
    }
}

#[test]
fn composed_backward_agrees_with_fused() {
    let shape = [2, 3, 5, 5];
    let [query, key, value, grad] =
        [0.0, 0.3, 0.6, 0.9].map(|shift| random::<Flex, 4>(shape).sub_scalar(shift));
    let bias = random::<Flex, 4>([1, 3, 5, 5]);
    let mask = hidden([2, 1, 5, 5]).into_primitive();
    let arguments = || {
        (
            unwrap(&query),
            unwrap(&key),
            unwrap(&value),
            Some(unwrap(&bias)),
            Some(mask.clone()),
        )
    };
    let (q, k, v, b, m) = arguments();
    let fused = Flex::biased_attention_backward(q, k, v, b, m, 0.4, unwrap(&grad));
    let (q, k, v, b, m) = arguments();
    let expected = composed::attention_backward::<Flex>(q, k, v, b, m, 0.4, unwrap(&grad));
    for (fused, expected) in [
        (fused.query, expected.query),
        (fused.key, expected.key),
        (fused.value, expected.value),
        (fused.bias.unwrap(), expected.bias.unwrap()),
    ] {
        assert_close::<Flex, 4>(wrap(fused), wrap(expected), ORDER);
    }

    let [x, gate, grad] = [0.1, 0.4, 0.8].map(|shift| random::<Flex, 2>([7, 35]).sub_scalar(shift));
    let weight = random::<Flex, 1>([35]);
    let fused = Flex::rms_norm_2d_backward(unwrap(&x), unwrap(&weight), 1e-5, unwrap(&grad));
    let expected =
        composed::rms_norm_backward::<Flex>(unwrap(&x), unwrap(&weight), 1e-5, unwrap(&grad));
    assert_close::<Flex, 2>(wrap(fused.0), wrap(expected.0), ORDER);
    assert_close::<Flex, 1>(wrap(fused.1), wrap(expected.1), ORDER);
    let fused = Flex::gated_gelu_2d_backward(unwrap(&gate), unwrap(&x), unwrap(&grad));
    let expected = composed::gated_gelu_backward::<Flex>(unwrap(&gate), unwrap(&x), unwrap(&grad));
    assert_close::<Flex, 2>(wrap(fused.0), wrap(expected.0), ORDER);
    assert_close::<Flex, 2>(wrap(fused.1), wrap(expected.1), ORDER);
}

#[test]
fn gradients_agree_with_finite_differences() {
    const STEP: f32 = 1e-2;
    let shape = [1, 2, 3, 4];
    let inputs = [0.0, 0.4, 0.9].map(|shift| random::<Flex, 4>(shape).sub_scalar(shift));
    let run = |inputs: &[Tensor<Ad, 4>]| {
        let [query, key, value] = [0, 1, 2].map(|i| inputs[i].clone());
        let x = attention(query, key, value.clone(), None, None, 0.5);
        let x = gated_gelu(x, gelu(value));
        rms_norm(x, Tensor::ones([4], &Default::default()), 1e-2)
    };
    let loss = |inputs: &[Tensor<Flex, 4>]| -> f32 {
        let inputs: Vec<_> = inputs.iter().cloned().map(Tensor::from_inner).collect();
        let output = run(&inputs);
        (output.clone() * random(output.dims())).sum().into_scalar()
    };
    for (which, gradient) in gradients(&inputs, run).into_iter().enumerate() {
        let gradient: Vec<f32> = gradient.into_data().to_vec().unwrap();
        for (place, expected) in gradient.into_iter().enumerate() {
            let moved = |step: f32| {
                let mut inputs = inputs.clone();
                let mut values: Vec<f32> = inputs[which].to_data().to_vec().unwrap();
                values[place] += step;
                inputs[which] =
                    Tensor::from_data(TensorData::new(values, shape), &Default::default());
                loss(&inputs)
            };
            let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
            assert!(
                (slope - expected).abs() < DIFFERENCES * (1.0 + expected.abs()),
                "{slope} {expected}"
            );
        }
    }
}

#[test]
fn gradient_checkpointing_gives_the_same_gradients() {
    use burn::backend::autodiff::checkpoint::strategy::BalancedCheckpointing;
    type Checkpointed = Autodiff<Flex, BalancedCheckpointing>;

    fn grads<B: MpmBackend + burn::tensor::backend::AutodiffBackend<InnerBackend = Flex>>()
    -> Vec<TensorData> {
        let x = random::<B, 2>([6, 20]).require_grad();
        let weight = random::<B, 1>([20]).require_grad();
        let normal = rms_norm(x.clone(), weight.clone(), 1e-6);
        let output = gelu(gated_gelu(normal.clone(), gelu(normal)));
        let grads = (output.clone() * output).sum().backward();
        vec![
            x.grad(&grads).unwrap().into_data(),
            weight.grad(&grads).unwrap().into_data(),
        ]
    }
    for (plain, checkpointed) in grads::<Ad>().into_iter().zip(grads::<Checkpointed>()) {
        plain.assert_eq(&checkpointed, true);
    }
}

#[test]
fn frozen_inputs_stay_untracked() {
    let x = random::<Ad, 2>([2, 8]).require_grad();
    let frozen = random::<Ad, 2>([8, 8]);
    let loss = gelu(linear(x.clone(), frozen.clone(), None)).sum();
    let grads = loss.backward();
    assert!(x.grad(&grads).is_some());
    assert!(frozen.grad(&grads).is_none());
}
