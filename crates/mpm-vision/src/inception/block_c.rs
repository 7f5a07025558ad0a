//! The blocks at 17 x 17.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::MpmBackend;

use super::{basic_conv::BasicConv2d, pool};

/// Branches of 1 x 1, 7 x 7, twice 7 x 7, and the mean; 7 x 7 is a row and a column of 7.
#[derive(Module, Debug)]
pub struct InceptionC<B: Backend> {
    /// 1 x 1.
    pub branch1x1: BasicConv2d<B>,
    /// 7 x 7, first step.
    pub branch7x7_1: BasicConv2d<B>,
    /// 7 x 7, the row.
    pub branch7x7_2: BasicConv2d<B>,
    /// 7 x 7, the column.
    pub branch7x7_3: BasicConv2d<B>,
    /// Twice 7 x 7, first step.
    pub branch7x7dbl_1: BasicConv2d<B>,
    /// Twice 7 x 7, the first column.
    pub branch7x7dbl_2: BasicConv2d<B>,
    /// Twice 7 x 7, the first row.
    pub branch7x7dbl_3: BasicConv2d<B>,
    /// Twice 7 x 7, the second column.
    pub branch7x7dbl_4: BasicConv2d<B>,
    /// Twice 7 x 7, the second row.
    pub branch7x7dbl_5: BasicConv2d<B>,
    /// After the mean.
    pub branch_pool: BasicConv2d<B>,
}

impl<B: Backend> InceptionC<B> {
    pub(super) fn new(c_in: usize, c_7x7: usize, device: &B::Device) -> Self {
        let conv = |channels, kernel| BasicConv2d::same(channels, kernel, device);
        let (one, row, column) = ([1, 1], [1, 7], [7, 1]);
        Self {
            branch1x1: conv([c_in, 192], one),
            branch7x7_1: conv([c_in, c_7x7], one),
            branch7x7_2: conv([c_7x7, c_7x7], row),
            branch7x7_3: conv([c_7x7, 192], column),
            branch7x7dbl_1: conv([c_in, c_7x7], one),
            branch7x7dbl_2: conv([c_7x7, c_7x7], column),
            branch7x7dbl_3: conv([c_7x7, c_7x7], row),
            branch7x7dbl_4: conv([c_7x7, c_7x7], column),
            branch7x7dbl_5: conv([c_7x7, 192], row),
            branch_pool: conv([c_in, 192], one),
        }
    }
}

impl<B: MpmBackend> InceptionC<B> {
    /// # Shapes
    /// - x: `[batch, c_in, height, width]`
    /// - output: `[batch, 768, height, width]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let along =
            |steps: &[&BasicConv2d<B>]| steps.iter().fold(x.clone(), |x, conv| conv.forward(x));
        let branches = vec![
            self.branch1x1.forward(x.clone()),
            along(&[&self.branch7x7_1, &self.branch7x7_2, &self.branch7x7_3]),
            along(&[
                &self.branch7x7dbl_1,
                &self.branch7x7dbl_2,
                &self.branch7x7dbl_3,
                &self.branch7x7dbl_4,
                &self.branch7x7dbl_5,
            ]),
            self.branch_pool.forward(pool::mean(x.clone())),
        ];
        Tensor::cat(branches, 1)
    }
}
