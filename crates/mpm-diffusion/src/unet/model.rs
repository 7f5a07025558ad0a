//! The UNet that predicts the noise in latents, given a text.
//!
//! Source: diffusers' `UNet2DConditionModel`; "High-Resolution Image Synthesis with Latent
//! Diffusion Models", <https://arxiv.org/abs/2112.10752>.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    kernel::silu,
    linear_layers,
    nn::{GroupNorm, TorchConv2d},
};

use super::{
    condition::Condition,
    config::UNetConfig,
    levels::{DownBlock, LevelBuilder, MidBlock, UpBlock},
    text::TextStates,
    time_embedding::{TimestepEmbedding, timestep_embedding},
    transformer::{Transformer2D, check_text},
};
use crate::{DiffusionError, block::NormConfig};

/// Width of the embedding of time in multiples of the finest level's channels.
const TIME_EXPANSION: usize = 4;

/// A place on the way through a UNet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UNetLevel {
    /// Behind the first convolution.
    Input,
    /// Behind a level of the way down, counted from the finest.
    Down(usize),
    /// Behind the middle.
    Mid,
    /// Behind a level of the way up, counted from the coarsest.
    Up(usize),
}

/// The UNet of Stable Diffusion; made by [`UNetConfig::init`].
///
/// Parameters carry diffusers' names.
#[derive(Module, Debug)]
pub struct UNet2DConditionModel<B: Backend> {
    /// From the latents.
    pub conv_in: TorchConv2d<B>,
    /// The embedding of time.
    pub time_embedding: TimestepEmbedding<B>,
    /// From the finest level to the coarsest.
    pub down_blocks: Vec<DownBlock<B>>,
    /// The coarsest level.
    pub mid_block: MidBlock<B>,
    /// From the coarsest level to the finest.
    pub up_blocks: Vec<UpBlock<B>>,
    /// Before the last convolution.
    pub conv_norm_out: GroupNorm<B>,
    /// To the prediction.
    pub conv_out: TorchConv2d<B>,
    /// Whether training keeps only the inputs of residual blocks and transformers and
    /// computes the rest again for the gradients
    /// ([`recompute`](mpm_core::recompute::recompute)); off at first.
    pub recompute: bool,
    cross_attention_dim: usize,
    flip_sin_to_cos: bool,
    freq_shift: usize,
}

linear_layers!(UNet2DConditionModel {
    time_embedding,
    down_blocks,
    mid_block,
    up_blocks,
});

impl UNetConfig {
    /// Makes a model with random weights, drawn as PyTorch draws them.
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn init<B: Backend>(
        &self,
        device: &B::Device,
    ) -> Result<UNet2DConditionModel<B>, DiffusionError> {
        self.validate()?;
        let finest = self.block_out_channels[0];
        let time_width = TIME_EXPANSION * finest;
        let levels = LevelBuilder::<B> {
            config: self,
            time_width,
            device,
        };
        let norm = NormConfig {
            groups: self.norm_num_groups,
            epsilon: self.norm_eps,
        };
        Ok(UNet2DConditionModel {
            conv_in: TorchConv2d::new([self.in_channels, finest], 3, 1, 1, device),
            time_embedding: TimestepEmbedding::new(finest, time_width, device),
            down_blocks: levels.down(),
            mid_block: levels.mid(),
            up_blocks: levels.up(),
            conv_norm_out: norm.init(finest, device),
            conv_out: TorchConv2d::new([finest, self.out_channels], 3, 1, 1, device),
            recompute: false,
            cross_attention_dim: self.cross_attention_dim,
            flip_sin_to_cos: self.flip_sin_to_cos,
            freq_shift: self.freq_shift,
        })
    }
}

impl<B: Backend> UNet2DConditionModel<B> {
    /// Channels of the latents that it reads.
    pub fn in_channels(&self) -> usize {
        self.conv_in.channels()[0]
    }

    /// Channels of its prediction.
    pub fn out_channels(&self) -> usize {
        self.conv_out.channels()[1]
    }

    /// Width of the text's states.
    pub fn cross_attention_dim(&self) -> usize {
        self.cross_attention_dim
    }

    /// All that read the text, in the order in which its layers are kept.
    fn transformers(&self) -> impl Iterator<Item = &Transformer2D<B>> {
        let down = self.down_blocks.iter().flat_map(|block| &block.attentions);
        let up = self.up_blocks.iter().flat_map(|block| &block.attentions);
        down.chain(&self.mid_block.attentions).chain(up)
    }
}

impl<B: MpmBackend> UNet2DConditionModel<B> {
    /// Keys and values of texts for all transformer blocks, once for all steps.
    ///
    /// # Shapes
    /// - states: `[texts, seq, cross_attention_dim]`
    ///
    /// # Errors
    /// [`DiffusionError::Shape`] for another width or an empty sequence.
    pub fn read_text(&self, states: Tensor<B, 3>) -> Result<TextStates<B>, DiffusionError> {
        let [_, len, width] = states.dims();
        if width != self.cross_attention_dim || len == 0 {
            return Err(DiffusionError::Shape {
                what: "states of the text",
                expected: format!("[texts, seq ≥ 1, {}]", self.cross_attention_dim),
                found: states.dims().to_vec(),
            });
        }
        let transformers = self.transformers();
        let layers = transformers.flat_map(|transformer| transformer.read_text(&states));
        Ok(TextStates {
            layers: layers.collect(),
        })
    }

    /// Predicts the noise (or what the model was trained to predict).
    ///
    /// # Shapes
    /// - sample: `[batch, in_channels, height, width]`, of any size
    /// - timesteps: one for each row, or one for all; fractions are allowed
    /// - text: one for each row
    /// - output: `[batch, out_channels, height, width]`
    ///
    /// # Errors
    /// [`DiffusionError::Shape`] when sample, timesteps and text do not fit, or the text was read
    /// by a model of other sizes.
    pub fn forward(
        &self,
        sample: Tensor<B, 4>,
        timesteps: &[f64],
        text: &TextStates<B>,
    ) -> Result<Tensor<B, 4>, DiffusionError> {
        self.forward_observed(sample, timesteps, text, |_, _| {})
    }

    /// As [`forward`](Self::forward); `observe` is called with the output of each level.
    ///
    /// # Errors
    /// See [`forward`](Self::forward).
    pub fn forward_observed(
        &self,
        sample: Tensor<B, 4>,
        timesteps: &[f64],
        text: &TextStates<B>,
        mut observe: impl FnMut(UNetLevel, &Tensor<B, 4>),
    ) -> Result<Tensor<B, 4>, DiffusionError> {
        let [batch, channels, height, width] = sample.dims();
        if channels != self.in_channels() || height * width == 0 {
            return Err(DiffusionError::Shape {
                what: "sample",
                expected: format!("[batch, {}, height ≥ 1, width ≥ 1]", self.in_channels()),
                found: sample.dims().to_vec(),
            });
        }
        for (what, found) in [("text", text.batch()), ("timesteps", timesteps.len())] {
            if found != batch && !(what == "timesteps" && found == 1) {
                return Err(DiffusionError::Shape {
                    what,
                    expected: format!("[{batch}], one for each row of the sample,"),
                    found: vec![found],
                });
            }
        }
        let transformers = self.transformers();
        let blocks: Vec<_> = transformers
            .flat_map(|transformer| &transformer.transformer_blocks)
            .collect();
        check_text(blocks.into_iter(), &text.layers)?;
        let time = self.embed_time(timesteps).expand([batch as i64, -1]);

        let mut condition = Condition::new(time, text, self.recompute);
        let mut x = self.conv_in.forward(sample);
        observe(UNetLevel::Input, &x);
        let mut skips = vec![x.clone()];
        for (i, block) in self.down_blocks.iter().enumerate() {
            x = block.forward(x, &mut condition, &mut skips);
            observe(UNetLevel::Down(i), &x);
        }
        x = self.mid_block.forward(x, &mut condition);
        observe(UNetLevel::Mid, &x);
        for (i, block) in self.up_blocks.iter().enumerate() {
            x = block.forward(x, &mut condition, &mut skips);
            observe(UNetLevel::Up(i), &x);
        }
        Ok(self.conv_out.forward(self.conv_norm_out.forward_silu(x)))
    }

    /// The embedding of timesteps, behind the SiLU with which all residual blocks begin.
    ///
    /// # Shapes
    /// - output: `[timesteps.len(), time_width]`
    pub fn embed_time(&self, timesteps: &[f64]) -> Tensor<B, 2> {
        let weights = self.conv_in.weight.val();
        let sinusoids = timestep_embedding(
            timesteps,
            self.conv_in.channels()[1],
            self.flip_sin_to_cos,
            self.freq_shift,
            &weights.device(),
        );
        silu(self.time_embedding.forward(sinusoids.cast(weights.dtype())))
    }
}
