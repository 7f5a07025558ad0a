//! Linear layers.

use burn::{
    backend::Flex,
    tensor::{DType, Tensor},
};

use super::{HALF, ORDER, assert_close, random, unwrap, views, wrap};
use crate::kernel::{composed, linear};

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
#[should_panic(expected = "an input of width 4 does not fit a linear layer of 8")]
fn linear_refuses_another_width() {
    linear(random::<Flex, 2>([1, 4]), random([3, 8]), None);
}

#[test]
#[should_panic(expected = "a linear layer to a width of 3 cannot have 1 biases")]
fn linear_refuses_other_biases() {
    linear(random::<Flex, 2>([1, 8]), random([3, 8]), Some(random([1])));
}
