//! The block from 17 x 17 to 8 x 8.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::MpmBackend;

use super::{basic_conv::BasicConv2d, pool};

/// Branches of 3 x 3, 7 x 7 with 3 x 3, and the largest, all at every second place.
#[derive(Module, Debug)]
pub struct InceptionD<B: Backend> {
    /// 3 x 3, first step.
    pub branch3x3_1: BasicConv2d<B>,
    /// 3 x 3, second step.
    pub branch3x3_2: BasicConv2d<B>,
    /// 7 x 7 with 3 x 3, first step.
    pub branch7x7x3_1: BasicConv2d<B>,
    /// 7 x 7 with 3 x 3, the row of 7.
    pub branch7x7x3_2: BasicConv2d<B>,
    /// 7 x 7 with 3 x 3, the column of 7.
    pub branch7x7x3_3: BasicConv2d<B>,
    /// 7 x 7 with 3 x 3, the 3 x 3.
    pub branch7x7x3_4: BasicConv2d<B>,
}

impl<B: Backend> InceptionD<B> {
    pub(super) fn new(c_in: usize, device: &B::Device) -> Self {
        Self {
            branch3x3_1: BasicConv2d::same([c_in, 192], [1, 1], device),
            branch3x3_2: BasicConv2d::valid([192, 320], [3, 3], 2, device),
            branch7x7x3_1: BasicConv2d::same([c_in, 192], [1, 1], device),
            branch7x7x3_2: BasicConv2d::same([192, 192], [1, 7], device),
            branch7x7x3_3: BasicConv2d::same([192, 192], [7, 1], device),
            branch7x7x3_4: BasicConv2d::valid([192, 192], [3, 3], 2, device),
        }
    }
}

impl<B: MpmBackend> InceptionD<B> {
    /// # Shapes
    /// - x: `[batch, c_in, height, width]`
    /// - output: `[batch, 512 + c_in, (height - 1) / 2, (width - 1) / 2]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let narrow = self.branch3x3_1.forward(x.clone());
        let wide = self.branch7x7x3_1.forward(x.clone());
        let wide = self.branch7x7x3_2.forward(wide);
        let wide = self.branch7x7x3_3.forward(wide);
        let branches = vec![
            self.branch3x3_2.forward(narrow),
            self.branch7x7x3_4.forward(wide),
            pool::halved(x),
        ];
        Tensor::cat(branches, 1)
    }
}
