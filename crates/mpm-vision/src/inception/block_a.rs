//! The blocks at 35 x 35.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::MpmBackend;

use super::{basic_conv::BasicConv2d, pool};

/// Branches of 1 x 1, 5 x 5, twice 3 x 3, and the mean.
#[derive(Module, Debug)]
pub struct InceptionA<B: Backend> {
    /// 1 x 1.
    pub branch1x1: BasicConv2d<B>,
    /// 5 x 5, first step.
    pub branch5x5_1: BasicConv2d<B>,
    /// 5 x 5, second step.
    pub branch5x5_2: BasicConv2d<B>,
    /// Twice 3 x 3, first step.
    pub branch3x3dbl_1: BasicConv2d<B>,
    /// Twice 3 x 3, second step.
    pub branch3x3dbl_2: BasicConv2d<B>,
    /// Twice 3 x 3, third step.
    pub branch3x3dbl_3: BasicConv2d<B>,
    /// After the mean.
    pub branch_pool: BasicConv2d<B>,
}

impl<B: Backend> InceptionA<B> {
    pub(super) fn new(c_in: usize, c_pool: usize, device: &B::Device) -> Self {
        let conv = |channels, size| BasicConv2d::same(channels, [size; 2], device);
        Self {
            branch1x1: conv([c_in, 64], 1),
            branch5x5_1: conv([c_in, 48], 1),
            branch5x5_2: conv([48, 64], 5),
            branch3x3dbl_1: conv([c_in, 64], 1),
            branch3x3dbl_2: conv([64, 96], 3),
            branch3x3dbl_3: conv([96, 96], 3),
            branch_pool: conv([c_in, c_pool], 1),
        }
    }
}

impl<B: MpmBackend> InceptionA<B> {
    /// # Shapes
    /// - x: `[batch, c_in, height, width]`
    /// - output: `[batch, 224 + c_pool, height, width]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let narrow = self.branch5x5_1.forward(x.clone());
        let double = self.branch3x3dbl_1.forward(x.clone());
        let double = self.branch3x3dbl_2.forward(double);
        let branches = vec![
            self.branch1x1.forward(x.clone()),
            self.branch5x5_2.forward(narrow),
            self.branch3x3dbl_3.forward(double),
            self.branch_pool.forward(pool::mean(x)),
        ];
        Tensor::cat(branches, 1)
    }
}
