//! Convolution of pictures.

mod backward;
mod columns;
mod geometry;
mod product;
mod winograd;

use burn::{
    backend::{Flex, flex::FlexTensor},
    tensor::{Shape, TensorMetadata},
};

use super::{
    super::composed,
    number::{Number, dense, elements, tensor, widened},
};
use crate::kernel::Conv2dOptions;
use geometry::Geometry;

pub(super) fn conv2d<T: Number>(
    x: FlexTensor,
    weight: FlexTensor,
    bias: Option<FlexTensor>,
    options: Conv2dOptions,
) -> FlexTensor {
    let geometry = Geometry::new(x.shape().dims(), weight.shape().dims(), options);
    if geometry.is_empty() {
        return composed::conv2d::<Flex>(x, weight, bias, options);
    }
    let (x, weight) = (dense(x), dense(weight));
    let bias = bias.map_or_else(
        || vec![0.0; geometry.c_out],
        |bias| widened(elements::<T>(&dense(bias))),
    );
    let output = run::<T>(elements(&x), elements(&weight), &bias, &geometry);
    tensor(output, geometry.output_shape())
}

fn run<T: Number>(x: &[T], weights: &[T], bias: &[f32], geometry: &Geometry) -> Vec<T> {
    if winograd::suits(geometry) {
        winograd::conv2d(x, weights, bias, geometry)
    } else {
        product::conv2d(x, weights, bias, geometry)
    }
}

/// The gradient of the input: the gradient of the output, convolved with the kernels turned by
/// half a turn.
pub(super) fn conv2d_x_backward<T: Number>(
    weight: FlexTensor,
    grad: FlexTensor,
    x_dims: [usize; 4],
    options: Conv2dOptions,
) -> FlexTensor {
    let geometry = Geometry::new(x_dims, weight.shape().dims(), options);
    let Some(back) = geometry.back() else {
        return composed::conv2d_x_backward::<Flex>(weight, grad, x_dims, options);
    };
    let (weight, grad) = (dense(weight), dense(grad));
    let weights = backward::turned::<T>(elements(&weight), &geometry);
    let spread;
    let grad = elements::<T>(&grad);
    let grad = if geometry.stride == 1 {
        grad
    } else {
        spread = backward::spread(grad, &geometry, &back);
        &spread
    };
    let x_grad = run::<T>(grad, &weights, &vec![0.0; geometry.c_in], &back);
    tensor(x_grad, Shape::new(x_dims))
}

pub(super) fn conv2d_weight_backward<T: Number>(
    x: FlexTensor,
    grad: FlexTensor,
    weight_dims: [usize; 4],
    options: Conv2dOptions,
) -> FlexTensor {
    let geometry = Geometry::new(x.shape().dims(), weight_dims, options);
    if geometry.is_empty() {
        return composed::conv2d_weight_backward::<Flex>(x, grad, weight_dims, options);
    }
    let (x, grad) = (dense(x), dense(grad));
    let (x, grad) = (elements::<T>(&x), elements::<T>(&grad));
    let weight_grad = winograd::suits(&geometry)
        .then(|| winograd::weights(x, grad, &geometry))
        .flatten()
        .unwrap_or_else(|| backward::weights(x, grad, &geometry));
    tensor(weight_grad, Shape::new(weight_dims))
}

pub(super) fn conv2d_bias_backward<T: Number>(grad: FlexTensor) -> FlexTensor {
    let grad = dense(grad);
    let [batch, channels, height, width] = grad.shape().dims();
    let sums = backward::bias::<T>(elements(&grad), [batch, channels, height * width]);
    tensor(sums, Shape::new([channels]))
}
