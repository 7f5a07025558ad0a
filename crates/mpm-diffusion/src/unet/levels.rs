//! The levels of a UNet: down, through the middle, and up.
//!
//! Source: diffusers' `models/unets/unet_2d_blocks.py`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, linear_layers};

use super::{
    condition::Condition,
    config::{DownBlockType, UNetConfig, UpBlockType},
    transformer::Transformer2D,
};
use crate::block::{Downsample2D, NormConfig, ResnetBlock2D, Upsample2D};

/// A level of the way down. Without transformers it is diffusers' `DownBlock2D`.
#[derive(Module, Debug)]
pub struct DownBlock<B: Backend> {
    /// The residual blocks.
    pub resnets: Vec<ResnetBlock2D<B>>,
    /// One behind each residual block, or none.
    pub attentions: Vec<Transformer2D<B>>,
    /// At the end of all levels but the last.
    pub downsamplers: Vec<Downsample2D<B>>,
}

linear_layers!(DownBlock {
    resnets,
    attentions
});

/// The coarsest level.
#[derive(Module, Debug)]
pub struct MidBlock<B: Backend> {
    /// Before and behind the transformer.
    pub resnets: Vec<ResnetBlock2D<B>>,
    /// The transformer.
    pub attentions: Vec<Transformer2D<B>>,
}

linear_layers!(MidBlock {
    resnets,
    attentions
});

/// A level of the way up. Without transformers it is diffusers' `UpBlock2D`.
#[derive(Module, Debug)]
pub struct UpBlock<B: Backend> {
    /// The residual blocks, each of which reads an output of the way down, too.
    pub resnets: Vec<ResnetBlock2D<B>>,
    /// One behind each residual block, or none.
    pub attentions: Vec<Transformer2D<B>>,
    /// At the end of all levels but the last.
    pub upsamplers: Vec<Upsample2D<B>>,
}

linear_layers!(UpBlock {
    resnets,
    attentions
});

/// What all levels of a model share.
pub(super) struct LevelBuilder<'a, B: Backend> {
    pub config: &'a UNetConfig,
    pub time_width: usize,
    pub device: &'a B::Device,
}

impl<B: Backend> LevelBuilder<'_, B> {
    fn resnet(&self, channels: [usize; 2]) -> ResnetBlock2D<B> {
        let norm = NormConfig {
            groups: self.config.norm_num_groups,
            epsilon: self.config.norm_eps,
        };
        ResnetBlock2D::new(channels, Some(self.time_width), norm, self.device)
    }

    fn transformer(&self, level: usize) -> Transformer2D<B> {
        let channels = self.config.block_out_channels[level];
        Transformer2D::new(self.config, channels, self.config.heads(level), self.device)
    }

    /// The levels of the way down.
    pub fn down(&self) -> Vec<DownBlock<B>> {
        let channels = &self.config.block_out_channels;
        let level = |level: usize| {
            let input = channels[level.saturating_sub(1)];
            let inputs = |i| if i == 0 { input } else { channels[level] };
            let layers = self.config.layers_per_block;
            let attentions = match self.config.down_block_types[level] {
                DownBlockType::CrossAttnDownBlock2D => layers,
                DownBlockType::DownBlock2D => 0,
            };
            let samplers = usize::from(level + 1 < channels.len());
            DownBlock {
                resnets: (0..layers)
                    .map(|i| self.resnet([inputs(i), channels[level]]))
                    .collect(),
                attentions: (0..attentions).map(|_| self.transformer(level)).collect(),
                downsamplers: (0..samplers)
                    .map(|_| Downsample2D::symmetric(channels[level], self.device))
                    .collect(),
            }
        };
        (0..channels.len()).map(level).collect()
    }

    /// The middle.
    pub fn mid(&self) -> MidBlock<B> {
        let level = self.config.block_out_channels.len() - 1;
        let channels = self.config.block_out_channels[level];
        MidBlock {
            resnets: (0..2).map(|_| self.resnet([channels; 2])).collect(),
            attentions: vec![self.transformer(level)],
        }
    }

    /// The levels of the way up, the coarsest first.
    pub fn up(&self) -> Vec<UpBlock<B>> {
        let channels = &self.config.block_out_channels;
        let last = channels.len() - 1;
        let block = |(i, kind): (usize, &UpBlockType)| {
            let level = last - i;
            let below = channels[(level + 1).min(last)];
            let beside = channels[level.saturating_sub(1)];
            let layers = self.config.layers_per_block + 1;
            // The first also reads the level below, the last what entered this level.
            let resnet = |layer| {
                let input = if layer == 0 { below } else { channels[level] };
                let skip = if layer + 1 == layers {
                    beside
                } else {
                    channels[level]
                };
                self.resnet([input + skip, channels[level]])
            };
            let attentions = match kind {
                UpBlockType::CrossAttnUpBlock2D => layers,
                UpBlockType::UpBlock2D => 0,
            };
            UpBlock {
                resnets: (0..layers).map(resnet).collect(),
                attentions: (0..attentions).map(|_| self.transformer(level)).collect(),
                upsamplers: (0..usize::from(level > 0))
                    .map(|_| Upsample2D::new(channels[level], self.device))
                    .collect(),
            }
        };
        let kinds = self.config.up_block_types.iter();
        kinds.enumerate().map(block).collect()
    }
}

impl<B: MpmBackend> DownBlock<B> {
    /// Appends what the way up will read to `skips`.
    ///
    /// # Shapes
    /// - x: `[batch, channels, height, width]`
    pub(super) fn forward(
        &self,
        mut x: Tensor<B, 4>,
        condition: &mut Condition<'_, B>,
        skips: &mut Vec<Tensor<B, 4>>,
    ) -> Tensor<B, 4> {
        for (i, resnet) in self.resnets.iter().enumerate() {
            x = condition.resnet(resnet, x);
            if let Some(attention) = self.attentions.get(i) {
                x = condition.transformer(attention, x);
            }
            skips.push(x.clone());
        }
        for downsampler in &self.downsamplers {
            x = downsampler.forward(x);
            skips.push(x.clone());
        }
        x
    }
}

impl<B: MpmBackend> MidBlock<B> {
    pub(super) fn forward(
        &self,
        x: Tensor<B, 4>,
        condition: &mut Condition<'_, B>,
    ) -> Tensor<B, 4> {
        let mut attentions = self.attentions.iter();
        let mut resnets = self.resnets.iter();
        let first = resnets.next().into_iter();
        let mut x = first.fold(x, |x, resnet| condition.resnet(resnet, x));
        for resnet in resnets {
            if let Some(attention) = attentions.next() {
                x = condition.transformer(attention, x);
            }
            x = condition.resnet(resnet, x);
        }
        x
    }
}

impl<B: MpmBackend> UpBlock<B> {
    /// Takes what the way down left from the end of `skips`.
    pub(super) fn forward(
        &self,
        mut x: Tensor<B, 4>,
        condition: &mut Condition<'_, B>,
        skips: &mut Vec<Tensor<B, 4>>,
    ) -> Tensor<B, 4> {
        for (i, resnet) in self.resnets.iter().enumerate() {
            let skip = skips
                .pop()
                .expect("the way down leaves a map for each block of the way up");
            x = condition.resnet(resnet, Tensor::cat(vec![x, skip], 1));
            if let Some(attention) = self.attentions.get(i) {
                x = condition.transformer(attention, x);
            }
        }
        for upsampler in &self.upsamplers {
            // The size of the level above, which need not be even.
            let [_, _, height, width] = skips
                .last()
                .expect("a level that is not the finest has one above it")
                .dims();
            x = upsampler.forward(x, [height, width]);
        }
        x
    }
}
