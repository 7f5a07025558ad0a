//! The transformer that lets pixels read the text.
//!
//! Source: diffusers' `models/transformers/transformer_2d.py` and `BasicTransformerBlock`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    kernel::transposed,
    linear_layers,
    nn::{GroupNorm, LayerNorm, LinearLayer, LinearLayers, TorchConv2d, TorchLinear},
};

use super::{
    attention::{Attention, KeyValue},
    config::UNetConfig,
    feed_forward::FeedForward,
};
use crate::{DiffusionError, block::NormConfig};

/// Added to the variance in the group norm, whatever `norm_eps` says.
const GROUP_NORM_EPSILON: f64 = 1e-6;

/// Added to the variance in the layer norms.
const LAYER_NORM_EPSILON: f64 = 1e-5;

/// Self-attention, attention to the text and a feed-forward network, each behind a layer norm
/// and beside a shortcut.
#[derive(Module, Debug)]
pub struct BasicTransformerBlock<B: Backend> {
    /// Before the self-attention.
    pub norm1: LayerNorm<B>,
    /// Self-attention of the pixels.
    pub attn1: Attention<B>,
    /// Before the attention to the text.
    pub norm2: LayerNorm<B>,
    /// Attention to the text.
    pub attn2: Attention<B>,
    /// Before the feed-forward network.
    pub norm3: LayerNorm<B>,
    /// The feed-forward network.
    pub ff: FeedForward<B>,
}

linear_layers!(BasicTransformerBlock { attn1, attn2, ff });

impl<B: Backend> BasicTransformerBlock<B> {
    fn new(channels: usize, text_width: usize, heads: usize, device: &B::Device) -> Self {
        let norm = || LayerNorm::new(channels, LAYER_NORM_EPSILON, device);
        Self {
            norm1: norm(),
            attn1: Attention::new(channels, channels, heads, device),
            norm2: norm(),
            attn2: Attention::new(channels, text_width, heads, device),
            norm3: norm(),
            ff: FeedForward::new(channels, device),
        }
    }
}

impl<B: MpmBackend> BasicTransformerBlock<B> {
    fn forward(&self, x: Tensor<B, 3>, text: KeyValue<B>) -> Tensor<B, 3> {
        let normal = self.norm1.forward(x.clone());
        let itself = self.attn1.keys_values(normal.clone());
        let x = x + self.attn1.forward(normal, itself);
        let x = x.clone() + self.attn2.forward(self.norm2.forward(x), text);
        x.clone() + self.ff.forward(self.norm3.forward(x))
    }
}

/// A projection of each pixel.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a model has a few dozen of them, and Burn has no modules in boxes"
)]
pub enum PixelProjection<B: Backend> {
    /// Stable Diffusion 2.
    Linear(TorchLinear<B>),
    /// A 1 × 1 convolution: Stable Diffusion 1.5.
    Convolution(TorchConv2d<B>),
}

impl<B: Backend> LinearLayers<B> for PixelProjection<B> {
    fn visit_linear(&mut self, visit: &mut dyn FnMut(LinearLayer<'_, B>)) {
        match self {
            Self::Linear(linear) => linear.visit_linear(visit),
            Self::Convolution(_) => {}
        }
    }
}

impl<B: Backend> PixelProjection<B> {
    fn new(config: &UNetConfig, channels: usize, device: &B::Device) -> Self {
        match config.use_linear_projection {
            true => Self::Linear(TorchLinear::new(channels, channels, device)),
            false => Self::Convolution(TorchConv2d::new([channels, channels], 1, 1, 0, device)),
        }
    }
}

/// Transformer blocks over the pixels of a feature map, beside a shortcut.
#[derive(Module, Debug)]
pub struct Transformer2D<B: Backend> {
    /// Before everything.
    pub norm: GroupNorm<B>,
    /// Before the blocks.
    pub proj_in: PixelProjection<B>,
    /// The blocks.
    pub transformer_blocks: Vec<BasicTransformerBlock<B>>,
    /// Behind the blocks.
    pub proj_out: PixelProjection<B>,
}

linear_layers!(Transformer2D {
    proj_in,
    transformer_blocks,
    proj_out,
});

impl<B: Backend> Transformer2D<B> {
    pub(super) fn new(
        config: &UNetConfig,
        channels: usize,
        heads: usize,
        device: &B::Device,
    ) -> Self {
        let norm = NormConfig {
            groups: config.norm_num_groups,
            epsilon: GROUP_NORM_EPSILON,
        };
        let block =
            || BasicTransformerBlock::new(channels, config.cross_attention_dim, heads, device);
        Self {
            norm: norm.init(channels, device),
            proj_in: PixelProjection::new(config, channels, device),
            transformer_blocks: (0..config.transformer_layers_per_block)
                .map(|_| block())
                .collect(),
            proj_out: PixelProjection::new(config, channels, device),
        }
    }
}

impl<B: MpmBackend> Transformer2D<B> {
    /// The keys and values of the text for each block, in order.
    ///
    /// # Shapes
    /// - states: `[batch, seq, cross_attention_dim]`
    pub fn read_text(&self, states: &Tensor<B, 3>) -> Vec<KeyValue<B>> {
        let blocks = self.transformer_blocks.iter();
        let read = blocks.map(|block| block.attn2.keys_values(states.clone()));
        read.collect()
    }

    /// # Shapes
    /// - x, output: `[batch, channels, height, width]`
    /// - text: from [`read_text`](Self::read_text)
    ///
    /// # Errors
    /// [`DiffusionError::Shape`] for what another transformer made of a text.
    pub fn forward(
        &self,
        x: Tensor<B, 4>,
        text: &[KeyValue<B>],
    ) -> Result<Tensor<B, 4>, DiffusionError> {
        check_text(self.transformer_blocks.iter(), text)?;
        Ok(self.attend(x, text))
    }

    /// As [`forward`](Self::forward), of a text that is known to fit.
    pub(super) fn attend(&self, x: Tensor<B, 4>, text: &[KeyValue<B>]) -> Tensor<B, 4> {
        let size = x.dims();
        let normal = self.norm.forward(x.clone());
        let pixels = match &self.proj_in {
            PixelProjection::Linear(linear) => linear.forward(to_pixels(normal)),
            PixelProjection::Convolution(convolution) => to_pixels(convolution.forward(normal)),
        };
        let blocks = self.transformer_blocks.iter().zip(text);
        let pixels = blocks.fold(pixels, |pixels, (block, text)| {
            block.forward(pixels, text.clone())
        });
        let output = match &self.proj_out {
            PixelProjection::Linear(linear) => to_map(linear.forward(pixels), size),
            PixelProjection::Convolution(convolution) => convolution.forward(to_map(pixels, size)),
        };
        x + output
    }
}

/// [`DiffusionError::Shape`] unless there are keys and values for each block, of its sizes.
pub(super) fn check_text<'a, B: Backend>(
    blocks: impl ExactSizeIterator<Item = &'a BasicTransformerBlock<B>>,
    text: &[KeyValue<B>],
) -> Result<(), DiffusionError> {
    if blocks.len() != text.len() {
        return Err(DiffusionError::Shape {
            what: "layers of the text",
            expected: format!("[{}], one for each transformer block", blocks.len()),
            found: vec![text.len()],
        });
    }
    let mut layers = blocks.zip(text);
    layers.try_for_each(|(block, layer)| block.attn2.check(layer))
}

/// `[batch, channels, height, width]` to `[batch, height · width, channels]`.
fn to_pixels<B: MpmBackend>(x: Tensor<B, 4>) -> Tensor<B, 3> {
    transposed(x.flatten(2, 3))
}

/// `[batch, height · width, channels]` to `[batch, channels, height, width]`.
fn to_map<B: MpmBackend>(x: Tensor<B, 3>, size: [usize; 4]) -> Tensor<B, 4> {
    transposed(x).reshape(size)
}
