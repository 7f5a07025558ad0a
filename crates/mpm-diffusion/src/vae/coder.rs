//! Encoder and decoder.
//!
//! Source: diffusers' `models/autoencoders/vae.py`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    nn::{GroupNorm, TorchConv2d},
};

use super::{
    VaeConfig,
    levels::{DecoderLevel, EncoderLevel, LatentMidBlock},
};

/// From pictures to the moments of their latents.
#[derive(Module, Debug)]
pub struct Encoder<B: Backend> {
    /// From the picture.
    pub conv_in: TorchConv2d<B>,
    /// The levels, the finest first.
    pub down_blocks: Vec<EncoderLevel<B>>,
    /// The coarsest level.
    pub mid_block: LatentMidBlock<B>,
    /// Before the last convolution.
    pub conv_norm_out: GroupNorm<B>,
    /// To means and logarithms of variances.
    pub conv_out: TorchConv2d<B>,
}

/// From latents to pictures.
#[derive(Module, Debug)]
pub struct Decoder<B: Backend> {
    /// From the latents.
    pub conv_in: TorchConv2d<B>,
    /// The coarsest level.
    pub mid_block: LatentMidBlock<B>,
    /// The levels, the coarsest first.
    pub up_blocks: Vec<DecoderLevel<B>>,
    /// Before the last convolution.
    pub conv_norm_out: GroupNorm<B>,
    /// To the picture.
    pub conv_out: TorchConv2d<B>,
}

impl<B: Backend> Encoder<B> {
    /// `config` is sound.
    pub(super) fn new(config: &VaeConfig, device: &B::Device) -> Self {
        let (finest, coarsest) = ends(config);
        Self {
            conv_in: TorchConv2d::new([config.in_channels, finest], 3, 1, 1, device),
            down_blocks: EncoderLevel::all(config, device),
            mid_block: LatentMidBlock::new(config, device),
            conv_norm_out: config.norm().init(coarsest, device),
            conv_out: TorchConv2d::new([coarsest, 2 * config.latent_channels], 3, 1, 1, device),
        }
    }
}

impl<B: Backend> Decoder<B> {
    /// `config` is sound.
    pub(super) fn new(config: &VaeConfig, device: &B::Device) -> Self {
        let (finest, coarsest) = ends(config);
        Self {
            conv_in: TorchConv2d::new([config.latent_channels, coarsest], 3, 1, 1, device),
            mid_block: LatentMidBlock::new(config, device),
            up_blocks: DecoderLevel::all(config, device),
            conv_norm_out: config.norm().init(finest, device),
            conv_out: TorchConv2d::new([finest, config.out_channels], 3, 1, 1, device),
        }
    }
}

/// Channels of the finest and of the coarsest level.
fn ends(config: &VaeConfig) -> (usize, usize) {
    let channels = &config.block_out_channels;
    (channels[0], channels[channels.len() - 1])
}

impl<B: MpmBackend> Encoder<B> {
    /// # Shapes
    /// - pixels: `[batch, in_channels, height, width]`
    /// - output: `[batch, 2 · latent_channels, height / f, width / f]`
    pub fn forward(&self, pixels: Tensor<B, 4>) -> Tensor<B, 4> {
        let x = self.conv_in.forward(pixels);
        let x = self.down_blocks.iter().fold(x, |x, level| level.forward(x));
        let x = self.mid_block.forward(x);
        self.conv_out.forward(self.conv_norm_out.forward_silu(x))
    }
}

impl<B: MpmBackend> Decoder<B> {
    /// # Shapes
    /// - latents: `[batch, latent_channels, height, width]`
    /// - output: `[batch, out_channels, f · height, f · width]`
    pub fn forward(&self, latents: Tensor<B, 4>) -> Tensor<B, 4> {
        let x = self.mid_block.forward(self.conv_in.forward(latents));
        let x = self.up_blocks.iter().fold(x, |x, level| level.forward(x));
        self.conv_out.forward(self.conv_norm_out.forward_silu(x))
    }
}
