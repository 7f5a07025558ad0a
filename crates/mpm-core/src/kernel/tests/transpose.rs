//! Swapping rows and columns.

use burn::{
    backend::Flex,
    tensor::{DType, Tensor},
};

use super::{Ad, random};
use crate::kernel::transposed;

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
fn gradients_change_places_too() {
    let x = random::<Ad, 3>([2, 3, 5]).require_grad();
    let weight: Tensor<Ad, 3> = random([2, 5, 3]);
    let grads = (transposed(x.clone()) * weight.clone()).sum().backward();
    let expected = weight.inner().swap_dims(1, 2).into_data();
    assert_eq!(x.grad(&grads).expect("tracked").into_data(), expected);
}
