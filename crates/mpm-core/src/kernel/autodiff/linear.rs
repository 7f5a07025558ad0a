//! Linear layers.

use burn::tensor::{Shape, TensorMetadata, ops::FloatTensor};

use super::{super::MpmBackend, affine::Affine};

#[derive(Debug)]
pub(super) struct Linear;

impl<B: MpmBackend> Affine<B> for Linear {
    fn forward(
        &self,
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: Option<FloatTensor<B>>,
    ) -> FloatTensor<B> {
        B::linear_2d(x, weight, bias)
    }

    fn x_backward(&self, weight: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
        B::linear_2d_x_backward(weight, grad)
    }

    fn weight_backward(&self, x: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
        B::linear_2d_weight_backward(x, grad)
    }

    fn bias_backward(&self, grad: FloatTensor<B>) -> FloatTensor<B> {
        let sum = B::float_sum_dim(grad, 0);
        let [_, width] = sum.shape().dims();
        B::float_reshape(sum, Shape::new([width]))
    }
}
