//! Swapping two dimensions.

use burn::{
    backend::Flex,
    tensor::{DType, Tensor},
};

use super::{Ad, random};
use crate::kernel::{merge_heads, split_heads, swapped, transposed};

#[test]
fn rows_and_columns_change_places() {
    for shape in [
        [1, 1, 1],
        [2, 3, 5],
        [3, 16, 16],
        [2, 17, 40],
        [5, 70, 7],
        [2, 0, 3],
        [2, 3, 0],
    ] {
        for dtype in [DType::F32, DType::F16, DType::F64] {
            let x = random::<Flex, 3>(shape).cast(dtype);
            let expected = x.clone().swap_dims(1, 2).into_data();
            assert_eq!(transposed(x.clone()).into_data(), expected);
            // A view that lies in another order.
            let view = x.swap_dims(0, 2);
            let expected = view.clone().swap_dims(1, 2).into_data();
            assert_eq!(transposed(view).into_data(), expected);
        }
    }
}

#[test]
fn vectors_change_places() {
    for shape in [
        [1, 1, 1, 1],
        [2, 3, 5, 4],
        [2, 17, 3, 32],
        // more than a task copies
        [3, 40, 7, 300],
        [2, 0, 3, 4],
        [2, 3, 0, 4],
        [2, 3, 4, 0],
    ] {
        for dtype in [DType::F32, DType::F16, DType::F64] {
            let x = random::<Flex, 4>(shape).cast(dtype);
            let expected = x.clone().swap_dims(1, 2).into_data();
            assert_eq!(swapped(x.clone()).into_data(), expected);
            let view = x.swap_dims(0, 3);
            let expected = view.clone().swap_dims(1, 2).into_data();
            assert_eq!(swapped(view).into_data(), expected);
        }
    }
}

#[test]
fn heads_are_split_and_merged() {
    let x = random::<Flex, 3>([2, 5, 12]);
    let heads = split_heads(x.clone(), 3);
    let second = x.clone().slice([0..2, 0..5, 4..8]);
    let expected = second.reshape([2, 1, 5, 4]).into_data();
    assert_eq!(
        heads.clone().slice([0..2, 1..2]).into_data(),
        expected,
        "the second head of every token"
    );
    assert_eq!(merge_heads(heads).into_data(), x.into_data());
}

#[test]
fn gradients_change_places_too() {
    let x = random::<Ad, 4>([2, 3, 5, 4]).require_grad();
    let weight: Tensor<Ad, 4> = random([2, 5, 3, 4]);
    let grads = (swapped(x.clone()) * weight.clone()).sum().backward();
    let expected = weight.inner().swap_dims(1, 2).into_data();
    assert_eq!(x.grad(&grads).expect("tracked").into_data(), expected);
}
