//! Self-attention of the coarsest level, with one head.
//!
//! Source: diffusers' `models/attention_processor.py`, `Attention` as `UNetMidBlock2D` of an
//! autoencoder makes it.

use burn::{
    module::Module,
    nn::{Dropout, DropoutConfig},
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    kernel::{attention, transposed},
    nn::{GroupNorm, TorchLinear},
};

use crate::block::NormConfig;

/// Attention of all latent pixels to each other, beside a shortcut.
#[derive(Module, Debug)]
pub struct LatentAttention<B: Backend> {
    /// Before everything.
    pub group_norm: GroupNorm<B>,
    /// Projection to the queries; `query` in older files.
    pub to_q: TorchLinear<B>,
    /// Projection to the keys; `key` in older files.
    pub to_k: TorchLinear<B>,
    /// Projection to the values; `value` in older files.
    pub to_v: TorchLinear<B>,
    /// The last projection, which is `to_out.0` beside the dropout, which never drops;
    /// `proj_attn` in older files.
    pub to_out: (TorchLinear<B>, Dropout),
}

impl<B: Backend> LatentAttention<B> {
    pub(super) fn new(channels: usize, norm: NormConfig, device: &B::Device) -> Self {
        let linear = || TorchLinear::new(channels, channels, device);
        Self {
            group_norm: norm.init(channels, device),
            to_q: linear(),
            to_k: linear(),
            to_v: linear(),
            to_out: (linear(), DropoutConfig::new(0.0).init()),
        }
    }
}

impl<B: MpmBackend> LatentAttention<B> {
    /// # Shapes
    /// - x, output: `[batch, channels, height, width]`
    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let size = x.dims();
        let pixels = self.group_norm.forward(x.clone());
        let pixels = transposed(pixels.flatten(2, 3));
        let [query, key, value] = [&self.to_q, &self.to_k, &self.to_v]
            .map(|linear| linear.forward(pixels.clone()).unsqueeze_dim(1));
        let scale = (size[1] as f64).powf(-0.5);
        let attended: Tensor<B, 3> = attention(query, key, value, None, None, scale).squeeze_dim(1);
        let output = self.to_out.0.forward(attended);
        x + transposed(output).reshape(size)
    }
}
