//! The gradients of linear layers: blocked matrix products by all threads. Burn's would write
//! each output three times: zeros, their copy, products.

use burn::{
    backend::{Flex, flex::FlexTensor},
    tensor::{Shape, TensorMetadata},
};

use super::super::{
    super::composed,
    gemm::{Matrix, product},
    number::{Number, Rows, dense, elements, tensor},
};

/// `grad · weight`
pub(in super::super) fn x_backward<T: Number>(weight: FlexTensor, grad: FlexTensor) -> FlexTensor {
    let [weight, grad] = [weight, grad].map(dense);
    match [&grad, &weight].map(matrix::<T>) {
        [Some(left), Some(right)] => multiplied(left, right),
        _ => composed::linear_x_backward::<Flex>(weight, grad),
    }
}

/// `gradᵀ · x`
pub(in super::super) fn weight_backward<T: Number>(x: FlexTensor, grad: FlexTensor) -> FlexTensor {
    let [x, grad] = [x, grad].map(dense);
    match [&grad, &x].map(matrix::<T>) {
        [Some(left), Some(right)] => multiplied(left.transposed(), right),
        _ => composed::linear_weight_backward::<Flex>(x, grad),
    }
}

/// The elements, where they are f32 and there are any.
fn matrix<T: Number>(x: &FlexTensor) -> Option<Matrix<'_>> {
    let [rows, columns] = x.shape().dims();
    let data = T::as_f32(elements(x)).filter(|data| !data.is_empty())?;
    let stride = columns;
    Some(Matrix::new(Rows { data, stride }, rows, columns))
}

fn multiplied(left: Matrix<'_>, right: Matrix<'_>) -> FlexTensor {
    let shape = Shape::new([left.rows(), right.columns()]);
    tensor(product(left, right, None), shape)
}
