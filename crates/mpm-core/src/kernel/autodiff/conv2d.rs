//! Convolutions.

use burn::tensor::{TensorMetadata, ops::FloatTensor};

use super::{
    super::{Conv2dOptions, MpmBackend},
    affine::Affine,
};

#[derive(Debug)]
pub(super) struct Conv2d {
    x_dims: [usize; 4],
    weight_dims: [usize; 4],
    options: Conv2dOptions,
}

impl Conv2d {
    /// The convolution of `x` by `weight`.
    pub fn new<T: TensorMetadata>(x: &T, weight: &T, options: Conv2dOptions) -> Self {
        Self {
            x_dims: x.shape().dims(),
            weight_dims: weight.shape().dims(),
            options,
        }
    }
}

impl<B: MpmBackend> Affine<B> for Conv2d {
    fn forward(
        &self,
        x: FloatTensor<B>,
        weight: FloatTensor<B>,
        bias: Option<FloatTensor<B>>,
    ) -> FloatTensor<B> {
        B::conv2d_4d(x, weight, bias, self.options)
    }

    fn x_backward(&self, weight: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
        B::conv2d_4d_x_backward(weight, grad, self.x_dims, self.options)
    }

    fn weight_backward(&self, x: FloatTensor<B>, grad: FloatTensor<B>) -> FloatTensor<B> {
        B::conv2d_4d_weight_backward(x, grad, self.weight_dims, self.options)
    }

    fn bias_backward(&self, grad: FloatTensor<B>) -> FloatTensor<B> {
        B::conv2d_4d_bias_backward(grad)
    }
}
