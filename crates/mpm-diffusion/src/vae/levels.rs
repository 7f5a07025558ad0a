//! The levels of encoder and decoder.
//!
//! Source: diffusers' `models/unets/unet_2d_blocks.py`, `DownEncoderBlock2D`,
//! `UpDecoderBlock2D` and `UNetMidBlock2D`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::MpmBackend;

use super::{VaeConfig, attention::LatentAttention};
use crate::block::{Downsample2D, NormConfig, ResnetBlock2D, Upsample2D};

/// Added to the variance in all group norms.
const EPSILON: f64 = 1e-6;

/// A level of the encoder.
#[derive(Module, Debug)]
pub struct EncoderLevel<B: Backend> {
    /// The residual blocks.
    pub resnets: Vec<ResnetBlock2D<B>>,
    /// At the end of all levels but the last.
    pub downsamplers: Vec<Downsample2D<B>>,
}

/// A level of the decoder.
#[derive(Module, Debug)]
pub struct DecoderLevel<B: Backend> {
    /// The residual blocks.
    pub resnets: Vec<ResnetBlock2D<B>>,
    /// At the end of all levels but the last.
    pub upsamplers: Vec<Upsample2D<B>>,
}

/// The coarsest level, of encoder and decoder alike.
#[derive(Module, Debug)]
pub struct LatentMidBlock<B: Backend> {
    /// Before and behind the attention.
    pub resnets: Vec<ResnetBlock2D<B>>,
    /// The attention.
    pub attentions: Vec<LatentAttention<B>>,
}

impl VaeConfig {
    pub(super) fn norm(&self) -> NormConfig {
        NormConfig {
            groups: self.norm_num_groups,
            epsilon: EPSILON,
        }
    }
}

impl<B: Backend> EncoderLevel<B> {
    /// The levels, the finest first.
    pub(super) fn all(config: &VaeConfig, device: &B::Device) -> Vec<Self> {
        let channels = &config.block_out_channels;
        let level = |level: usize| {
            let own = channels[level];
            let input = |i| {
                if i == 0 {
                    channels[level.saturating_sub(1)]
                } else {
                    own
                }
            };
            let samplers = usize::from(level + 1 < channels.len());
            Self {
                resnets: (0..config.layers_per_block)
                    .map(|i| ResnetBlock2D::new([input(i), own], None, config.norm(), device))
                    .collect(),
                downsamplers: (0..samplers)
                    .map(|_| Downsample2D::asymmetric(own, device))
                    .collect(),
            }
        };
        (0..channels.len()).map(level).collect()
    }
}

impl<B: Backend> DecoderLevel<B> {
    /// The levels, the coarsest first.
    pub(super) fn all(config: &VaeConfig, device: &B::Device) -> Vec<Self> {
        let channels = &config.block_out_channels;
        let last = channels.len() - 1;
        let level = |level: usize| {
            let own = channels[level];
            let input = |i| {
                if i == 0 {
                    channels[(level + 1).min(last)]
                } else {
                    own
                }
            };
            Self {
                resnets: (0..config.layers_per_block + 1)
                    .map(|i| ResnetBlock2D::new([input(i), own], None, config.norm(), device))
                    .collect(),
                upsamplers: (0..usize::from(level > 0))
                    .map(|_| Upsample2D::new(own, device))
                    .collect(),
            }
        };
        (0..channels.len()).rev().map(level).collect()
    }
}

impl<B: Backend> LatentMidBlock<B> {
    pub(super) fn new(config: &VaeConfig, device: &B::Device) -> Self {
        let channels = config.block_out_channels[config.block_out_channels.len() - 1];
        let resnet = |_| ResnetBlock2D::new([channels; 2], None, config.norm(), device);
        Self {
            resnets: (0..2).map(resnet).collect(),
            attentions: vec![LatentAttention::new(channels, config.norm(), device)],
        }
    }
}

impl<B: MpmBackend> EncoderLevel<B> {
    /// Halves the picture, but for the last level.
    pub(super) fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let resnets = self.resnets.iter();
        let x = resnets.fold(x, |x, resnet| resnet.forward(x, None));
        let downsamplers = self.downsamplers.iter();
        downsamplers.fold(x, |x, downsampler| downsampler.forward(x))
    }
}

impl<B: MpmBackend> DecoderLevel<B> {
    /// Doubles the picture, but for the last level.
    pub(super) fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let resnets = self.resnets.iter();
        let x = resnets.fold(x, |x, resnet| resnet.forward(x, None));
        self.upsamplers.iter().fold(x, |x, upsampler| {
            let [_, _, height, width] = x.dims();
            upsampler.forward(x, [2 * height, 2 * width])
        })
    }
}

impl<B: MpmBackend> LatentMidBlock<B> {
    pub(super) fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let mut x = x;
        for (i, resnet) in self.resnets.iter().enumerate() {
            x = resnet.forward(x, None);
            if let Some(attention) = self.attentions.get(i) {
                x = attention.forward(x);
            }
        }
        x
    }
}
