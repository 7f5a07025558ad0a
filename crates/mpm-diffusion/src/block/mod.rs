//! What UNet and VAE have in common.

mod resample;
mod resnet;

use burn::tensor::backend::Backend;
use mpm_core::nn::GroupNorm;

pub use resample::{Downsample2D, Upsample2D};
pub use resnet::ResnetBlock2D;

/// The group norms of a model.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NormConfig {
    pub groups: usize,
    pub epsilon: f64,
}

impl NormConfig {
    pub fn init<B: Backend>(self, channels: usize, device: &B::Device) -> GroupNorm<B> {
        GroupNorm::new(self.groups, channels, self.epsilon, device)
    }
}
