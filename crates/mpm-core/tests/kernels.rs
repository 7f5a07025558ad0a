//! The fused operations of the backend that is compiled in, against sums in f64.
//!
//! `cargo test --workspace --features vulkan --test kernels` runs them on a GPU.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use burn::{
    backend::Autodiff,
    tensor::{Bool, DType, Tensor, TensorData, backend::Backend},
};
use mpm_core::{
    backend::BackendKind,
    kernel,
    quantization::{QuantizationScheme, QuantizedMatrix, quantize},
};
use mpm_test_support::{
    BACKEND_ROUNDING, TEST_BACKEND, TestBackend, Tolerance, assert_values_close,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Sums of a few hundred f32 in any order, and the polynomials that stand for exp and erf.
const F32: Tolerance = Tolerance {
    absolute: 0.0,
    relative: 0.0,
    of_largest: 1e-5,
};

/// What f16 keeps of a value, and of each factor of a sum.
const F16: Tolerance = Tolerance {
    absolute: 0.0,
    relative: 0.0,
    of_largest: 2e-3,
};

/// Matrix products of the backend.
const PRODUCT: Tolerance = Tolerance {
    of_largest: F32.of_largest + BACKEND_ROUNDING.of_largest,
    ..F32
};

/// Products of up to eight rows with a quantized weight: x86 CPUs round the rows to 16 bits, by
/// 1.5e-5 of the largest of 64 neighbours.
const FEW_ROWS: Tolerance = Tolerance {
    of_largest: match TEST_BACKEND {
        BackendKind::Flex => 5e-5,
        _ => F32.of_largest,
    },
    ..F32
};

const TYPES: [(DType, Tolerance); 2] = [(DType::F32, F32), (DType::F16, F16)];

/// Numbers in [-1, 1) that f16 has, so that both types compute with the same ones.
fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let number = || f64::from(rng.random_range(-1024_i32..1024)) / 1024.0;
    std::iter::repeat_with(number).take(count).collect()
}

fn tensor<B: Backend, const D: usize>(
    values: &[f64],
    shape: [usize; D],
    dtype: DType,
) -> Tensor<B, D> {
    let data = TensorData::new(values.to_vec(), shape).convert_dtype(dtype);
    Tensor::from_data(data, (&B::Device::default(), dtype))
}

fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f64> {
    tensor.into_data().iter().collect()
}

fn matrix(scheme: QuantizationScheme, d_out: usize, d_in: usize) -> QuantizedMatrix<TestBackend> {
    let weights = TensorData::new(numbers(d_out * d_in, 7), [d_out, d_in]);
    let quantized = quantize(&weights.convert_dtype(DType::F32), scheme).unwrap();
    QuantizedMatrix::from_quantized(quantized, &Default::default())
}

/// The rows of `x` times the transpose of `weight`.
fn product(x: &[f64], weight: &[f64], d_in: usize) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum();
    let outputs = |row| weight.chunks(d_in).map(move |weights| dot(row, weights));
    x.chunks(d_in).flat_map(outputs).collect()
}

#[test]
fn quantized_products() {
    // outputs that fill no plane, and more rows than are held in registers
    for scheme in QuantizationScheme::ALL {
        for (rows, d_out) in [(1, 64), (3, 5), (8, 130), (9, 12), (40, 33)] {
            let d_in = 256;
            let matrix = matrix(scheme, d_out, d_in);
            let weight = values(matrix.dequantize());
            let x = numbers(rows * d_in, 8);
            let bias = numbers(d_out, 9);
            for (dtype, tolerance) in TYPES {
                let what = format!("{scheme}, {rows} rows, {d_out} outputs, {dtype:?}");
                let input = tensor(&x, [rows, d_in], dtype);
                let output = matrix.linear(input.clone(), None);
                assert_eq!(output.dtype(), dtype);
                let mut expected = product(&x, &weight, d_in);
                let tolerance = Tolerance {
                    of_largest: tolerance
                        .of_largest
                        .max(PRODUCT.of_largest)
                        .max(FEW_ROWS.of_largest),
                    ..tolerance
                };
                assert_values_close(&what, &values(output), &expected, tolerance);

                let biased = matrix.linear(input, Some(tensor(&bias, [d_out], dtype)));
                for row in expected.chunks_mut(d_out) {
                    row.iter_mut().zip(&bias).for_each(|(x, bias)| *x += bias);
                }
                let what = format!("{what}, with a bias");
                assert_values_close(&what, &values(biased), &expected, tolerance);
            }
        }
    }
}

#[test]
fn a_few_quantized_rows_stay_out_of_tensor_cores() {
    for scheme in QuantizationScheme::ALL {
        let (d_out, d_in) = (70, 512);
        let matrix = matrix(scheme, d_out, d_in);
        let weight = values(matrix.dequantize());
        let x = numbers(2 * d_in, 10);
        let output = matrix.linear(tensor(&x, [2, d_in], DType::F32), None);
        let expected = product(&x, &weight, d_in);
        assert_values_close(&scheme.to_string(), &values(output), &expected, FEW_ROWS);
    }
}

#[test]
fn products() {
    // a few rows and many, widths that no vector divides, outputs that fill no plane
    for (rows, d_in, d_out) in [(1, 256, 70), (3, 100, 5), (8, 37, 33), (20, 64, 12)] {
        let (x, weight) = (numbers(rows * d_in, 27), numbers(d_out * d_in, 28));
        let bias = numbers(d_out, 29);
        let product = product(&x, &weight, d_in);
        for (dtype, tolerance) in TYPES {
            let tolerance = Tolerance {
                of_largest: tolerance.of_largest + BACKEND_ROUNDING.of_largest,
                ..tolerance
            };
            let what = format!("{rows} x {d_in} to {d_out}, {dtype:?}");
            let input = || tensor::<TestBackend, 2>(&x, [rows, d_in], dtype);
            let whole = tensor::<TestBackend, 2>(&weight, [d_out, d_in], dtype);
            let output = kernel::linear(input(), whole.clone(), None);
            assert_eq!(output.dtype(), dtype);
            assert_values_close(&what, &values(output), &product, tolerance);

            // rows of a larger weight, with a bias
            let (part, first) = (whole.narrow(0, 2, 3), tensor(&bias[2..5], [3], dtype));
            let output = kernel::linear(input(), part, Some(first));
            let expected = product
                .chunks(d_out)
                .flat_map(|row| (2..5).map(|o| row[o] + bias[o]));
            let expected: Vec<f64> = expected.collect();
            assert_values_close(&what, &values(output), &expected, tolerance);
        }
    }
}

#[test]
fn rows_of_a_quantized_matrix() {
    let matrix = matrix(QuantizationScheme::INT4, 40, 128);
    let weight = values(matrix.dequantize());
    let x = numbers(128, 11);
    let output = matrix
        .narrow_rows(7, 20)
        .linear(tensor(&x, [1, 128], DType::F32), None);
    let expected = product(&x, &weight[7 * 128..27 * 128], 128);
    assert_values_close("rows 7 to 26", &values(output), &expected, FEW_ROWS);
}

#[test]
fn gradients_of_quantized_products() {
    type Ad = Autodiff<TestBackend>;
    for rows in [2, 20] {
        let (d_out, d_in) = (24, 64);
        let inner = matrix(QuantizationScheme::INT8, d_out, d_in);
        let weight = values(inner.dequantize());
        let x = numbers(rows * d_in, 12);
        let slopes = numbers(rows * d_out, 13);
        let codes = Tensor::from_inner(inner.codes.val());
        let scales = Tensor::from_inner(inner.scales.val());
        let input = tensor::<Ad, 2>(&x, [rows, d_in], DType::F32).require_grad();
        let output = kernel::quantized_linear(input.clone(), codes, scales, None);
        let grads = (output * tensor(&slopes, [rows, d_out], DType::F32))
            .sum()
            .backward();
        let grad = values(input.grad(&grads).unwrap());
        let transposed: Vec<f64> = (0..d_in)
            .flat_map(|i| weight.iter().skip(i).step_by(d_in).copied())
            .collect();
        let expected = product(&slopes, &transposed, d_out);
        assert_values_close(&format!("{rows} rows"), &grad, &expected, PRODUCT);
    }
}

#[test]
fn activations() {
    let (gelu, silu) = (
        |x: f64| x * 0.5 * (1.0 + erf(x / 2.0_f64.sqrt())),
        |x: f64| x / (1.0 + (-x).exp()),
    );
    for (dtype, tolerance) in TYPES {
        for shape in [[3, 64], [1, 7]] {
            let count = shape.iter().product();
            let gates: Vec<f64> = numbers(count, 14).iter().map(|x| x * 6.0).collect();
            let others = numbers(count, 15);
            let gate = || tensor::<TestBackend, 2>(&gates, shape, dtype);
            let check = |what: &str, actual: Tensor<TestBackend, 2>, expected: Vec<f64>| {
                assert_eq!(actual.dtype(), dtype);
                let what = format!("{what} {shape:?} {dtype:?}");
                assert_values_close(&what, &values(actual), &expected, tolerance);
            };
            let expected = gates.iter().map(|x| gelu(*x)).collect();
            check("gelu", kernel::gelu(gate()), expected);
            let expected = gates.iter().map(|x| silu(*x)).collect();
            check("silu", kernel::silu(gate()), expected);
            let expected = gates.iter().zip(&others).map(|(gate, x)| gelu(*gate) * x);
            let value = tensor(&others, shape, dtype);
            check(
                "gated gelu",
                kernel::gated_gelu(gate(), value),
                expected.collect(),
            );
        }
        // a view whose rows do not lie side by side
        let x = numbers(40, 16);
        let view = tensor::<TestBackend, 2>(&x, [5, 8], dtype).transpose();
        let expected: Vec<f64> = (0..8)
            .flat_map(|i| x.iter().skip(i).step_by(8).map(|x| silu(*x)))
            .collect();
        assert_values_close("a view", &values(kernel::silu(view)), &expected, tolerance);
    }
}

#[test]
fn norms() {
    const EPSILON: f64 = 1e-5;
    for (dtype, tolerance) in TYPES {
        for (rows, width) in [(1, 4096), (5, 100), (70, 33)] {
            let x = numbers(rows * width, 17);
            let (weight, bias) = (numbers(width, 18), numbers(width, 19));
            let parameter = |values: &[f64]| tensor::<TestBackend, 1>(values, [width], dtype);
            let input = || tensor::<TestBackend, 2>(&x, [rows, width], dtype);

            let output = kernel::rms_norm(input(), parameter(&weight), EPSILON);
            assert_eq!(output.dtype(), dtype);
            let expected: Vec<f64> = x
                .chunks(width)
                .flat_map(|row| {
                    let scale = (mean(row.iter().map(|x| x * x)) + EPSILON).sqrt().recip();
                    row.iter()
                        .zip(&weight)
                        .map(move |(x, weight)| x * scale * weight)
                })
                .collect();
            let what = format!("rms norm of {rows} x {width} {dtype:?}");
            assert_values_close(&what, &values(output), &expected, tolerance);

            let output = kernel::layer_norm(input(), parameter(&weight), parameter(&bias), EPSILON);
            let expected: Vec<f64> = x
                .chunks(width)
                .flat_map(|row| {
                    let affine = weight.iter().zip(&bias);
                    normalized(row, EPSILON)
                        .zip(affine)
                        .map(|(x, (weight, bias))| x * weight + bias)
                })
                .collect();
            let what = format!("layer norm of {rows} x {width} {dtype:?}");
            assert_values_close(&what, &values(output), &expected, tolerance);
        }
    }
}

#[test]
fn group_norms() {
    const EPSILON: f64 = 1e-5;
    let (batch, channels, side, groups) = (2, 12, 5, 3);
    let pixels = side * side;
    let x = numbers(batch * channels * pixels, 20);
    let (weight, bias) = (numbers(channels, 21), numbers(channels, 22));
    let expected: Vec<f64> = x
        .chunks(channels / groups * pixels)
        .flat_map(|group| normalized(group, EPSILON))
        .enumerate()
        .map(|(i, x)| x * weight[i / pixels % channels] + bias[i / pixels % channels])
        .collect();
    for (dtype, tolerance) in TYPES {
        let input = || tensor::<TestBackend, 4>(&x, [batch, channels, side, side], dtype);
        let parameter = |values: &[f64]| tensor::<TestBackend, 1>(values, [channels], dtype);
        let norm = kernel::group_norm(
            input(),
            parameter(&weight),
            parameter(&bias),
            groups,
            EPSILON,
        );
        assert_values_close("group norm", &values(norm), &expected, tolerance);
        let silu = kernel::group_norm_silu(
            input(),
            parameter(&weight),
            parameter(&bias),
            groups,
            EPSILON,
        );
        let expected: Vec<f64> = expected.iter().map(|x| x / (1.0 + (-x).exp())).collect();
        assert_values_close("group norm and SiLU", &values(silu), &expected, tolerance);
    }
}

/// What attention is computed from, row by row in f64.
struct Attention<'a> {
    shape: [usize; 4],
    len_k: usize,
    dim_value: usize,
    query: &'a [f64],
    key: &'a [f64],
    value: &'a [f64],
    bias: &'a dyn Fn(usize, usize, usize) -> f64,
    hidden: &'a dyn Fn(usize, usize) -> bool,
    scale: f64,
}

impl Attention<'_> {
    fn output(&self) -> Vec<f64> {
        let [batch, heads, len_q, dim] = self.shape;
        let mut output = Vec::new();
        for place in 0..batch * heads * len_q {
            let (row, of_heads) = (place % len_q, place / len_q);
            let (head, batch) = (of_heads % heads, of_heads / heads);
            let query = &self.query[place * dim..][..dim];
            let keys = &self.key[of_heads * self.len_k * dim..];
            let scores: Vec<f64> = (0..self.len_k)
                .map(|k| {
                    let dot: f64 = query.iter().zip(&keys[k * dim..]).map(|(a, b)| a * b).sum();
                    match (self.hidden)(batch, k) {
                        true => f64::NEG_INFINITY,
                        false => dot * self.scale + (self.bias)(head, row, k),
                    }
                })
                .collect();
            // finite, so that a row that sees nothing has shares of 0
            let greatest = scores.iter().copied().fold(f64::MIN, f64::max);
            let shares: Vec<f64> = scores.iter().map(|x| (x - greatest).exp()).collect();
            let sum: f64 = shares.iter().sum();
            let values = &self.value[of_heads * self.len_k * self.dim_value..];
            output.extend((0..self.dim_value).map(|d| {
                let column = values.iter().skip(d).step_by(self.dim_value);
                let total: f64 = shares.iter().zip(column).map(|(a, b)| a * b).sum();
                if sum == 0.0 { 0.0 } else { total / sum }
            }));
        }
        output
    }
}

#[test]
fn attention() {
    // lengths and widths that no tile divides
    let (batch, heads, dim, dim_value, scale) = (2, 3, 20, 12, 0.3);
    for (len_q, len_k) in [(1, 70), (5, 33), (40, 40), (1, 5_000)] {
        let query = numbers(batch * heads * len_q * dim, 23);
        let key = numbers(batch * heads * len_k * dim, 24);
        let value = numbers(batch * heads * len_k * dim_value, 25);
        let bias = numbers(heads * len_q * len_k, 26);
        // all keys of the second row, and a tenth of the first's
        let masked = |batch: usize, k: usize| batch == 1 || k % 10 == 3;
        let mask: Vec<bool> = (0..batch * len_k)
            .map(|i| masked(i / len_k, i % len_k))
            .collect();
        let mask = TensorData::new(mask, [batch, 1, 1, len_k]);
        let mask = Tensor::<TestBackend, 4, Bool>::from_data(mask, &Default::default());
        for (dtype, tolerance) in TYPES {
            let tolerance = Tolerance {
                of_largest: tolerance.of_largest + BACKEND_ROUNDING.of_largest,
                ..tolerance
            };
            let query_tensor = tensor::<TestBackend, 4>(&query, [batch, heads, len_q, dim], dtype);
            // as a model has them: heads were split from rows of the tokens
            let keys = tensor::<TestBackend, 4>(&key, [batch, heads, len_k, dim], dtype);
            let keys = keys.swap_dims(1, 2).mul_scalar(1.0).swap_dims(1, 2);
            let values_tensor = tensor(&value, [batch, heads, len_k, dim_value], dtype);
            let bias_tensor = tensor(&bias, [1, heads, len_q, len_k], dtype);
            for (with_bias, with_mask) in [(true, true), (false, false), (true, false)] {
                let what = format!("{len_q} x {len_k}, {dtype:?}, {with_bias}, {with_mask}");
                let actual = kernel::attention(
                    query_tensor.clone(),
                    keys.clone(),
                    Tensor::clone(&values_tensor),
                    with_bias.then(|| Tensor::clone(&bias_tensor)),
                    with_mask.then(|| mask.clone()),
                    scale,
                );
                assert_eq!(actual.dtype(), dtype);
                let expected = Attention {
                    shape: [batch, heads, len_q, dim],
                    len_k,
                    dim_value,
                    query: &query,
                    key: &key,
                    value: &value,
                    bias: &|head, q, k| match with_bias {
                        true => bias[(head * len_q + q) * len_k + k],
                        false => 0.0,
                    },
                    hidden: &|batch, k| with_mask && masked(batch, k),
                    scale,
                };
                assert_values_close(&what, &values(actual), &expected.output(), tolerance);
            }
        }
    }
}

/// Scores of 102,400 and a little, which f16 does not have: from few queries, which kernels attend
/// from, and from more, which matrix products do.
#[test]
fn scores_beyond_f16() {
    /// A step of f32 at this score is 8e-3, and each of the last sums is rounded to one.
    const STEPS: Tolerance = Tolerance {
        of_largest: 5e-2,
        ..F32
    };
    let (large, dim, dim_value, len_k) = (16, 48, 12, 20);
    for len_q in [3, 12] {
        let tokens = |count: usize, seed| -> Vec<f64> {
            let small = numbers(count * dim, seed);
            let of_dim = |(i, x)| if i % dim < dim - large { x } else { 80.0 };
            small.into_iter().enumerate().map(of_dim).collect()
        };
        let (query, key) = (tokens(len_q, 30), tokens(len_k, 31));
        let value = numbers(len_k * dim_value, 32);
        let expected = Attention {
            shape: [1, 1, len_q, dim],
            len_k,
            dim_value,
            query: &query,
            key: &key,
            value: &value,
            bias: &|_, _, _| 0.0,
            hidden: &|_, _| false,
            scale: 1.0,
        };
        for (dtype, _) in TYPES {
            let actual = kernel::attention(
                tensor::<TestBackend, 4>(&query, [1, 1, len_q, dim], dtype),
                tensor(&key, [1, 1, len_k, dim], dtype),
                tensor(&value, [1, 1, len_k, dim_value], dtype),
                None,
                None,
                1.0,
            );
            let what = format!("{len_q} queries, {dtype:?}");
            assert_values_close(&what, &values(actual), &expected.output(), STEPS);
        }
    }
}

#[test]
fn attention_of_mixed_dtypes_is_that_of_the_query() {
    let (dim, len_k) = (16, 9);
    for len_q in [2, 10] {
        let query = numbers(len_q * dim, 33);
        let [key, value] = [34, 35].map(|seed| numbers(len_k * dim, seed));
        let expected = Attention {
            shape: [1, 1, len_q, dim],
            len_k,
            dim_value: dim,
            query: &query,
            key: &key,
            value: &value,
            bias: &|_, _, _| 0.0,
            hidden: &|_, _| false,
            scale: 0.25,
        };
        for (dtypes, tolerance) in [
            ([DType::F16, DType::F32, DType::F32], F16),
            ([DType::F32, DType::F16, DType::F32], PRODUCT),
            ([DType::F32, DType::F32, DType::F16], PRODUCT),
        ] {
            let actual = kernel::attention(
                tensor::<TestBackend, 4>(&query, [1, 1, len_q, dim], dtypes[0]),
                tensor(&key, [1, 1, len_k, dim], dtypes[1]),
                tensor(&value, [1, 1, len_k, dim], dtypes[2]),
                None,
                None,
                0.25,
            );
            assert_eq!(actual.dtype(), dtypes[0]);
            let what = format!("{len_q} queries, {dtypes:?}");
            assert_values_close(&what, &values(actual), &expected.output(), tolerance);
        }
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

fn normalized(values: &[f64], epsilon: f64) -> impl Iterator<Item = f64> + '_ {
    let middle = mean(values.iter().copied());
    let variance = mean(values.iter().map(|x| (x - middle).powi(2)));
    values
        .iter()
        .map(move |x| (x - middle) / (variance + epsilon).sqrt())
}

/// The series of Abramowitz and Stegun, 7.1.6, whose terms are all of one sign.
fn erf(x: f64) -> f64 {
    let mut term = x;
    let mut sum = x;
    for n in 1..200 {
        term *= 2.0 * x * x / f64::from(2 * n + 1);
        sum += term;
    }
    2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
}
