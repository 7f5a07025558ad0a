//! Attention.

use burn::{
    backend::Flex,
    tensor::{Bool, DType, Tensor},
};

use super::{
    Ad, HALF, ORDER, assert_close, compare_gradients, hidden, random, unwrap, views, wrap,
};
use crate::kernel::{attention, composed};

/// batch, heads, len_q, len_k, dim_head, dim_value. Some lengths end a little beyond a tile
/// of 384 queries (128 in the backward pass) or 256 keys.
const ATTENTION: [[usize; 6]; 9] = [
    [1, 1, 1, 1, 1, 1],
    [2, 3, 5, 7, 9, 4],
    [1, 2, 1, 640, 33, 40],
    [2, 2, 4, 17, 64, 71],
    [1, 2, 134, 70, 32, 32],
    [3, 4, 40, 20, 32, 16],
    [1, 1, 130, 1100, 16, 24],
    [1, 1, 390, 260, 16, 8],
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
fn blocks_of_queries_attend_like_all_of_them() {
    let [query, key, value] = [[2, 3, 7, 8], [2, 3, 5, 8], [2, 3, 5, 4]].map(random::<Flex, 4>);
    let inputs = || [unwrap(&query), unwrap(&key), unwrap(&value)];
    let biases = [None, Some([2, 3, 7, 5]), Some([1, 3, 1, 5])];
    let masks = [None, Some([2, 1, 7, 1]), Some([1, 1, 1, 5])];
    for (bias, mask) in biases.into_iter().zip(masks) {
        let (bias, mask) = (bias.map(random::<Flex, 4>), mask.map(hidden));
        // no whole query, one, some with a rest, all
        for max_scores in [1, 30, 3 * 30, 7 * 30] {
            let blocks = composed::attention_in_blocks::<Flex>(
                inputs(),
                bias.as_ref().map(unwrap),
                mask.clone().map(|mask| mask.into_primitive()),
                0.3,
                max_scores,
            );
            let expected = composed_attention([&query, &key, &value], bias.as_ref(), mask.as_ref());
            assert_close(wrap::<Flex, 4>(blocks), expected, ORDER);
        }
    }
}

#[test]
fn gradients_flow_through_blocks_of_queries() {
    let inputs = [[2, 2, 7, 8], [2, 2, 5, 8], [2, 2, 5, 4], [1, 2, 7, 5]].map(random);
    let attend = |x: &[Tensor<Ad, 4>], max_scores| {
        wrap(composed::attention_in_blocks::<Ad>(
            [0, 1, 2].map(|i| unwrap(&x[i])),
            Some(unwrap(&x[3])),
            None,
            0.3,
            max_scores,
        ))
    };
    compare_gradients(
        &inputs,
        ORDER,
        |x| attend(x, 3 * 20),
        |x| attend(x, usize::MAX),
    );
}

#[test]
fn scores_beyond_f16_are_neither_infinite_nor_taken_for_masked() {
    // all that is seen has a score of -90,000
    let device = Default::default();
    let query = Tensor::<Flex, 4>::full([1, 1, 1, 1], -300.0, &device);
    let key = Tensor::<Flex, 4>::full([1, 1, 2, 1], 300.0, &device);
    let value = Tensor::<Flex, 4>::from_data([[[[1.0], [2.0]]]], &device);
    let mask = Tensor::<Flex, 4, Bool>::from_data([[[[false, true]]]], &device);
    for dtype in [DType::F32, DType::F16, DType::BF16] {
        let [query, key, value] = [&query, &key, &value].map(|x| x.clone().cast(dtype));
        let output = composed::attention::<Flex>(
            unwrap(&query),
            unwrap(&key),
            unwrap(&value),
            None,
            Some(mask.clone().into_primitive()),
            1.0,
        );
        let output: Vec<f32> = wrap::<Flex, 4>(output).into_data().iter().collect();
        assert_eq!(output, [1.0], "{dtype:?}");
    }
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

/// Attention from `[2, 3, 4, 8]` to keys and values of these shapes.
fn attend(
    key: [usize; 4],
    value: [usize; 4],
    bias: Option<[usize; 4]>,
    mask: Option<[usize; 4]>,
) -> Tensor<Flex, 4> {
    let query = random([2, 3, 4, 8]);
    let (bias, mask) = (bias.map(random), mask.map(hidden));
    attention(query, random(key), random(value), bias, mask, 0.3)
}

#[test]
fn attention_refuses_shapes_that_do_not_fit() {
    const KEY: [usize; 4] = [2, 3, 5, 8];
    const VALUE: [usize; 4] = [2, 3, 5, 6];
    attend(KEY, VALUE, Some([1, 3, 4, 5]), Some([2, 1, 1, 5]));
    let keys = "do not fit queries of shape [2, 3, 4, 8]";
    let values = "do not fit keys of shape [2, 3, 5, 8]";
    let scores = "does not broadcast to scores of shape [2, 3, 4, 5]";
    let (wider, fewer_heads, another_batch) = ([2, 3, 5, 9], [2, 1, 5, 8], [1, 3, 5, 8]);
    let cases = [
        (wider, VALUE, None, None, keys),
        (fewer_heads, VALUE, None, None, keys),
        (another_batch, VALUE, None, None, keys),
        (KEY, [2, 3, 4, 6], None, None, values),
        (KEY, [2, 1, 5, 6], None, None, values),
        (KEY, [1, 3, 5, 6], None, None, values),
        (KEY, VALUE, Some([1, 2, 4, 5]), None, scores),
        (KEY, VALUE, None, Some([2, 1, 5, 5]), scores),
    ];
    for (key, value, bias, mask, expected) in cases {
        let panic = std::panic::catch_unwind(|| attend(key, value, bias, mask)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(message.contains(expected), "{message}");
    }
}
