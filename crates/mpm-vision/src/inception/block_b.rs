//! The block from 35 x 35 to 17 x 17.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::MpmBackend;

use super::{basic_conv::BasicConv2d, pool};

/// Branches of 3 x 3, twice 3 x 3, and the largest, all at every second place.
#[derive(Module, Debug)]
pub struct InceptionB<B: Backend> {
    /// 3 x 3.
    pub branch3x3: BasicConv2d<B>,
    /// Twice 3 x 3, first step.
    pub branch3x3dbl_1: BasicConv2d<B>,
    /// Twice 3 x 3, second step.
    pub branch3x3dbl_2: BasicConv2d<B>,
    /// Twice 3 x 3, third step.
    pub branch3x3dbl_3: BasicConv2d<B>,
}

impl<B: Backend> InceptionB<B> {
    pub(super) fn new(c_in: usize, device: &B::Device) -> Self {
        Self {
            branch3x3: BasicConv2d::valid([c_in, 384], [3, 3], 2, device),
            branch3x3dbl_1: BasicConv2d::same([c_in, 64], [1, 1], device),
            branch3x3dbl_2: BasicConv2d::same([64, 96], [3, 3], device),
            branch3x3dbl_3: BasicConv2d::valid([96, 96], [3, 3], 2, device),
        }
    }
}

impl<B: MpmBackend> InceptionB<B> {
    /// # Shapes
    /// - x: `[batch, c_in, height, width]`
    /// - output: `[batch, 480 + c_in, (height - 1) / 2, (width - 1) / 2]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let double = self.branch3x3dbl_1.forward(x.clone());
        let double = self.branch3x3dbl_2.forward(double);
        let branches = vec![
            self.branch3x3.forward(x.clone()),
            self.branch3x3dbl_3.forward(double),
            pool::halved(x),
        ];
        Tensor::cat(branches, 1)
    }
}
