//! What the blocks of a UNet read besides the feature map.

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::{MpmBackend, recompute::recompute};

use super::{attention::KeyValue, text::TextStates, transformer::Transformer2D};
use crate::block::ResnetBlock2D;

/// Time and text of one pass through a UNet, handed to its blocks in their order.
pub(super) struct Condition<'a, B: Backend> {
    /// The embedding of time, `[batch, time_width]`.
    time: Tensor<B, 2>,
    /// What the transformer blocks to come read of the text.
    text: &'a [KeyValue<B>],
    recompute: bool,
}

impl<'a, B: MpmBackend> Condition<'a, B> {
    /// With `recompute`, the blocks keep only their inputs for their gradients.
    pub fn new(time: Tensor<B, 2>, text: &'a TextStates<B>, recompute: bool) -> Self {
        Self {
            time,
            text: &text.layers,
            recompute,
        }
    }

    /// Runs a residual block.
    pub fn resnet(&self, block: &ResnetBlock2D<B>, x: Tensor<B, 4>) -> Tensor<B, 4> {
        match self.recompute {
            true => recompute(block, (x, self.time.clone()), |block, (x, time)| {
                block.forward(x, Some(&time))
            }),
            false => block.forward(x, Some(&self.time)),
        }
    }

    /// Runs a transformer.
    ///
    /// # Panics
    /// When no text is left for it: the states are of another model, which
    /// [`check_text`](super::transformer::check_text) finds before.
    pub fn transformer(&mut self, transformer: &Transformer2D<B>, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let count = transformer.transformer_blocks.len();
        let (text, rest) = self.text.split_at(count);
        self.text = rest;
        match self.recompute {
            true => recompute(transformer, (x, text.to_vec()), |transformer, (x, text)| {
                transformer.attend(x, &text)
            }),
            false => transformer.attend(x, text),
        }
    }
}
