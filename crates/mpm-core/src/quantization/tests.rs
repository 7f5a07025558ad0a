//! Codes and scales against what they stand for.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use burn::{
    backend::{Autodiff, Flex},
    tensor::{DType, Int, Tensor, TensorData, bf16, f16},
};
use proptest::prelude::*;

use super::{
    BlockSize, Layout, QuantizationError, QuantizationScheme, Quantized, QuantizedBits,
    QuantizedMatrix,
    pack::{pack, unpack},
    quantize,
};

/// The relative errors that the module's documentation states, with room for the rounding of
/// that table and for other random numbers: bits, block, bound.
///
/// Rounding to a step loses its square over 12; a step is the largest of so many normally
/// distributed numbers (2.1 to 3.9 times their deviation) over 127, or over about 8.5.
const ERRORS: [(QuantizationScheme, f64); 7] = {
    let [
        int4_32,
        int4_64,
        int4_128,
        int8_32,
        int8_64,
        int8_128,
        int8_row,
    ] = QuantizationScheme::ALL;
    [
        (int4_32, 0.085),
        (int4_64, 0.093),
        (int4_128, 0.100),
        (int8_32, 0.0055),
        (int8_64, 0.0062),
        (int8_128, 0.0070),
        (int8_row, 0.0095),
    ]
};

/// The error of the scale that puts the largest weight of a block to -8, and so that of `Q4_0`,
/// exceeds that of the best of the candidates by that much at least.
const SEARCH_GAIN: f64 = 0.03;

/// Rounding of `value / scale` and of `code * scale`, as a part of the step.
const ROUNDING: f32 = 1e-4;

fn dequantized(quantized: &Quantized) -> Vec<f32> {
    let matrix = QuantizedMatrix::<Flex>::from_quantized(quantized.clone(), &Default::default());
    matrix.dequantize().into_data().to_vec().unwrap()
}

/// N(0, 1), by Box and Muller.
fn normal(count: usize) -> Vec<f32> {
    let mut state = 7_u64;
    let mut uniform = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    };
    (0..count)
        .map(|_| {
            let (radius, angle) = (uniform(), uniform());
            ((-2.0 * radius.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()) as f32
        })
        .collect()
}

/// Root mean square of the error, relative to that of the values.
fn relative_error(values: &[f32], others: &[f32]) -> f64 {
    let squares = |values: &mut dyn Iterator<Item = f32>| -> f64 {
        values.map(|value| f64::from(value).powi(2)).sum()
    };
    let error = squares(
        &mut values
            .iter()
            .zip(others)
            .map(|(value, other)| value - other),
    );
    (error / squares(&mut values.iter().copied())).sqrt()
}

#[test]
fn errors_are_those_documented() {
    let (d_out, d_in) = (64, 4096);
    let values = normal(d_out * d_in);
    for (scheme, bound) in ERRORS {
        let data = TensorData::new(values.clone(), [d_out, d_in]);
        let error = relative_error(&values, &dequantized(&quantize(&data, scheme).unwrap()));
        assert!(error < bound && error > 0.85 * bound, "{scheme}: {error}");
    }
}

#[test]
fn the_search_for_a_scale_pays() {
    let values = normal(64 * 4096);
    let plain: Vec<f32> = values
        .chunks(64)
        .flat_map(|block| {
            let largest = block
                .iter()
                .copied()
                .max_by(|x, y| x.abs().total_cmp(&y.abs()));
            let scale = f16::from_f32(largest.unwrap() / -8.0).to_f32();
            block
                .iter()
                .map(move |value| (value / scale).round().clamp(-8.0, 7.0) * scale)
        })
        .collect();
    let data = TensorData::new(values.clone(), [64, 4096]);
    let searched = dequantized(&quantize(&data, QuantizationScheme::INT4).unwrap());
    let (plain, searched) = (
        relative_error(&values, &plain),
        relative_error(&values, &searched),
    );
    assert!(
        searched < (1.0 - SEARCH_GAIN) * plain,
        "{searched} of {plain}"
    );
}

proptest! {
    #[test]
    fn codes_survive_packing(codes in prop::collection::vec(-128_i8..=127, 64)) {
        let int4: Vec<i8> = codes.iter().map(|code| code >> 4).collect();
        for (codes, bits) in [(int4, QuantizedBits::Int4), (codes, QuantizedBits::Int8)] {
            let mut words = vec![0; 64 / bits.per_word()];
            pack(&codes, bits, &mut words);
            let unpacked: Vec<i8> = words.iter().flat_map(|&word| unpack(word, bits)).collect();
            prop_assert_eq!(unpacked, codes);
        }
    }

    #[test]
    fn weights_are_near_their_codes(
        values in prop::collection::vec(-1.0_f32..1.0, 2 * 128),
        exponent in -30_i32..16,
    ) {
        // within what f16 can scale, down to where the scales are subnormal and then zero
        let values: Vec<f32> = values.iter().map(|value| value * 2_f32.powi(exponent)).collect();
        for scheme in QuantizationScheme::ALL {
            let data = TensorData::new(values.clone(), [2, 128]);
            let quantized = quantize(&data, scheme).unwrap();
            let near = dequantized(&quantized);
            let scales: Vec<f16> = quantized.scales.to_vec().unwrap();
            let block = scheme.block().len(128);
            for (i, (value, near)) in values.iter().zip(near).enumerate() {
                let scale = scales[i / block].to_f32();
                prop_assert!(scale.is_finite());
                let (error, step) = ((value - near).abs(), scale.abs());
                let code = if step > 0.0 { near / scale } else { 0.0 };
                // with 4 bits, what is beyond the last step may be cut off
                let cut = scheme.bits() == QuantizedBits::Int4
                    && (step == 0.0 || code <= -7.9 || code >= 6.9);
                prop_assert!(cut || error <= (0.5 + ROUNDING) * step, "{scheme}: {value} {near}");
            }
        }
    }
}

#[test]
fn words_hold_the_first_code_lowest() {
    let values: Vec<f32> = (0..32)
        .map(|i| if i < 16 { i as f32 - 8.0 } else { 0.0 })
        .collect();
    let scheme: QuantizationScheme = "int4-32".parse().unwrap();
    let quantized = quantize(&TensorData::new(values, [1, 32]), scheme).unwrap();
    assert_eq!(quantized.scales.to_vec::<f16>().unwrap(), [f16::ONE]);
    assert_eq!(
        quantized.codes.to_vec::<u32>().unwrap(),
        [0x7654_3210, 0xfedc_ba98, 0x8888_8888, 0x8888_8888]
    );
    let values = vec![-127.0_f32, -1.0, 0.0, 127.0];
    let scheme: QuantizationScheme = "int8-row".parse().unwrap();
    let quantized = quantize(&TensorData::new(values, [1, 4]), scheme).unwrap();
    assert_eq!(quantized.codes.to_vec::<u32>().unwrap(), [0x7f00_ff81]);
}

#[test]
fn zeros_stay_zeros() {
    for scheme in QuantizationScheme::ALL {
        let data = TensorData::new(vec![0.0_f32; 256], [2, 128]);
        let quantized = quantize(&data, scheme).unwrap();
        assert!(dequantized(&quantized).iter().all(|&value| value == 0.0));
        let scales: Vec<f16> = quantized.scales.to_vec().unwrap();
        assert!(scales.iter().all(|&scale| scale == f16::ZERO));
    }
}

#[test]
fn every_type_of_weights_is_read() {
    for scheme in QuantizationScheme::ALL {
        let values: Vec<f32> = normal(256)
            .into_iter()
            .map(|x| bf16::from_f32(x).into())
            .collect();
        let expected = quantize(&TensorData::new(values.clone(), [2, 128]), scheme).unwrap();
        let halves: Vec<bf16> = values.iter().map(|&x| bf16::from_f32(x)).collect();
        let actual = quantize(&TensorData::new(halves, [2, 128]), scheme).unwrap();
        assert_eq!(actual.codes, expected.codes);
        assert_eq!(actual.scales, expected.scales);
        let halves: Vec<f16> = values.iter().map(|&x| f16::from_f32(x)).collect();
        assert!(quantize(&TensorData::new(halves, [2, 128]), scheme).is_ok());
    }
}

#[test]
fn the_largest_f16_has_a_finite_scale() {
    for scheme in QuantizationScheme::ALL {
        let values = [f16::MAX, f16::MIN, f16::ZERO, f16::MAX].repeat(32);
        let quantized = quantize(&TensorData::new(values, [1, 128]), scheme).unwrap();
        assert!(
            dequantized(&quantized)
                .iter()
                .all(|value| value.is_finite())
        );
    }
}

#[test]
fn what_cannot_be_quantized_is_refused() {
    let refusal = |values: Vec<f32>, shape: Vec<usize>, scheme: &str| {
        let scheme: QuantizationScheme = scheme.parse().unwrap();
        quantize(&TensorData::new(values, shape), scheme)
            .unwrap_err()
            .to_string()
    };
    let with = |value: f32| {
        let mut values = vec![0.5; 128];
        values[70] = value;
        values
    };
    for (value, printed) in [
        (f32::NAN, "NaN"),
        (f32::INFINITY, "inf"),
        (-f32::INFINITY, "-inf"),
    ] {
        assert_eq!(
            refusal(with(value), vec![2, 64], "int4"),
            format!("the weight in row 1, column 6 is {printed}")
        );
    }
    for scheme in ["int4", "int8"] {
        let message = refusal(with(-3e38), vec![2, 64], scheme);
        assert!(message.starts_with("the weight -3"), "{message}");
        assert!(message.contains("in row 1 is too large"), "{message}");
    }
    assert_eq!(
        refusal(vec![0.0; 96], vec![1, 96], "int4-64"),
        "rows of 96 weights cannot be quantized to int4-64: a multiple of 64 is needed"
    );
    assert_eq!(
        refusal(vec![0.0; 6], vec![1, 6], "int8-row"),
        "rows of 6 weights cannot be quantized to int8-row: a multiple of 4 is needed"
    );
    assert_eq!(
        refusal(vec![], vec![3, 0], "int8-row"),
        "rows of 0 weights cannot be quantized to int8-row: a multiple of 4 is needed"
    );
    assert_eq!(
        refusal(vec![0.0; 64], vec![64], "int4"),
        "only matrices can be quantized, not a tensor of shape [64]"
    );
    let whole = TensorData::new(vec![1_i32; 64], [1, 64]);
    let refused = quantize(&whole, QuantizationScheme::INT4);
    assert!(matches!(
        refused,
        Err(QuantizationError::Unsupported { dtype: DType::I32 })
    ));
    let none = quantize(
        &TensorData::new(Vec::<f32>::new(), [0, 64]),
        QuantizationScheme::INT4,
    );
    assert_eq!(none.unwrap().codes.shape.as_slice(), [0, 8]);
}

#[test]
fn schemes_have_names() {
    for scheme in QuantizationScheme::ALL {
        assert_eq!(
            scheme.to_string().parse::<QuantizationScheme>().unwrap(),
            scheme
        );
        let json = serde_json::to_string(&scheme).unwrap();
        assert_eq!(json, format!("\"{scheme}\""));
        assert_eq!(
            serde_json::from_str::<QuantizationScheme>(&json).unwrap(),
            scheme
        );
        assert_eq!(
            QuantizationScheme::new(scheme.bits(), scheme.block()),
            Some(scheme)
        );
    }
    assert_eq!(
        "int4".parse::<QuantizationScheme>().unwrap().to_string(),
        "int4-64"
    );
    assert_eq!(
        "int8".parse::<QuantizationScheme>().unwrap().to_string(),
        "int8-64"
    );
    assert_eq!(
        QuantizationScheme::new(QuantizedBits::Int4, BlockSize::Row),
        None
    );
    for name in ["int4-row", "int2", "int8-16", "", "INT4"] {
        let error = name.parse::<QuantizationScheme>().unwrap_err().to_string();
        assert!(error.contains("int4-128, and int8-row"), "{error}");
    }
}

#[test]
fn shapes_tell_the_scheme() {
    for scheme in QuantizationScheme::ALL {
        let layout = Layout::new(scheme, [3, 256]).unwrap();
        let inferred = Layout::infer(layout.codes(), layout.scales(), 256).unwrap();
        assert_eq!(inferred, layout);
        assert_eq!(inferred.scheme(), Some(scheme));
    }
    // 4 bits over a whole row, other heights, nothing
    for (codes, scales) in [([3, 32], [3, 1]), ([3, 32], [2, 4]), ([3, 0], [3, 0])] {
        assert!(Layout::infer(codes, scales, 256).is_err());
    }
}

#[test]
fn a_matrix_keeps_the_types_of_its_parts() {
    type Ad = Autodiff<Flex>;
    let data = TensorData::new(normal(5 * 128), [5, 128]);
    let quantized = quantize(&data, QuantizationScheme::INT8).unwrap();
    let matrix = QuantizedMatrix::<Ad>::from_quantized(quantized, &Default::default());
    assert_eq!(matrix.codes.val().dtype(), DType::U32);
    assert_eq!(matrix.scales.val().dtype(), DType::F16);
    assert!(!matrix.scales.val().is_require_grad());
    assert_eq!([matrix.d_out(), matrix.d_in()], [5, 128]);
    assert_eq!(matrix.scheme().unwrap(), QuantizationScheme::INT8);

    let again = QuantizedMatrix::new(matrix.codes.val(), matrix.scales.val(), 128).unwrap();
    let expected = matrix.dequantize();
    assert_eq!(expected.dtype(), DType::F32);
    again
        .dequantize()
        .into_data()
        .assert_eq(&expected.to_data(), true);
    assert!(QuantizedMatrix::new(matrix.codes.val(), matrix.scales.val(), 192).is_err());
    let wide = QuantizedMatrix::new(
        matrix.codes.val(),
        matrix.scales.val().cast(DType::F32),
        128,
    );
    assert!(matches!(wide, Err(QuantizationError::Types { .. })));

    let rows = Tensor::<Ad, 1, Int>::from_ints([4, 0, 4], &Default::default());
    let selected = matrix.select_rows(rows.clone());
    selected
        .into_data()
        .assert_eq(&expected.clone().select(0, rows).into_data(), true);
    let narrow = matrix.narrow_rows(1, 3).dequantize();
    narrow
        .into_data()
        .assert_eq(&expected.narrow(0, 1, 3).into_data(), true);
}
