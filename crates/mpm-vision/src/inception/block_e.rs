//! The blocks at 8 x 8.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::MpmBackend;

use super::{basic_conv::BasicConv2d, pool};

/// What the last branch pools by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pooling {
    Mean,
    Largest,
}

/// Branches of 1 x 1, 3 x 3, twice 3 x 3, and a pool; the last 3 x 3 of each is a row and a column
/// beside each other.
#[derive(Module, Debug)]
pub struct InceptionE<B: Backend> {
    /// 1 x 1.
    pub branch1x1: BasicConv2d<B>,
    /// 3 x 3, first step.
    pub branch3x3_1: BasicConv2d<B>,
    /// 3 x 3, the row.
    pub branch3x3_2a: BasicConv2d<B>,
    /// 3 x 3, the column.
    pub branch3x3_2b: BasicConv2d<B>,
    /// Twice 3 x 3, first step.
    pub branch3x3dbl_1: BasicConv2d<B>,
    /// Twice 3 x 3, second step.
    pub branch3x3dbl_2: BasicConv2d<B>,
    /// Twice 3 x 3, the row.
    pub branch3x3dbl_3a: BasicConv2d<B>,
    /// Twice 3 x 3, the column.
    pub branch3x3dbl_3b: BasicConv2d<B>,
    /// After the pool.
    pub branch_pool: BasicConv2d<B>,
    #[module(skip)]
    pooling: Pooling,
}

impl<B: Backend> InceptionE<B> {
    pub(super) fn new(c_in: usize, pooling: Pooling, device: &B::Device) -> Self {
        let conv = |channels, kernel| BasicConv2d::same(channels, kernel, device);
        let (one, row, column) = ([1, 1], [1, 3], [3, 1]);
        Self {
            branch1x1: conv([c_in, 320], one),
            branch3x3_1: conv([c_in, 384], one),
            branch3x3_2a: conv([384, 384], row),
            branch3x3_2b: conv([384, 384], column),
            branch3x3dbl_1: conv([c_in, 448], one),
            branch3x3dbl_2: conv([448, 384], [3, 3]),
            branch3x3dbl_3a: conv([384, 384], row),
            branch3x3dbl_3b: conv([384, 384], column),
            branch_pool: conv([c_in, 192], one),
            pooling,
        }
    }
}

impl<B: MpmBackend> InceptionE<B> {
    /// # Shapes
    /// - x: `[batch, c_in, height, width]`
    /// - output: `[batch, 2048, height, width]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let single = self.branch3x3_1.forward(x.clone());
        let double = self.branch3x3dbl_1.forward(x.clone());
        let double = self.branch3x3dbl_2.forward(double);
        let pooled = match self.pooling {
            Pooling::Mean => pool::mean(x.clone()),
            Pooling::Largest => pool::largest(x.clone()),
        };
        let branches = vec![
            self.branch1x1.forward(x),
            self.branch3x3_2a.forward(single.clone()),
            self.branch3x3_2b.forward(single),
            self.branch3x3dbl_3a.forward(double.clone()),
            self.branch3x3dbl_3b.forward(double),
            self.branch_pool.forward(pooled),
        ];
        Tensor::cat(branches, 1)
    }
}
