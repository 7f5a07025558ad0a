//! Transformer block, `VisCPM/models/modules/{blocks,transformer}.py`.

use burn::{
    module::Module,
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend, linear_layers, nn::RmsNorm, recompute::recompute, streaming::WaitingLayers,
};

use super::{
    attention::Attention, attention_bias::AttentionBias, config::CpmBeeConfig,
    feed_forward::FeedForward,
};
use crate::{
    cache::{KvCache, LayerCache},
    error::LlmError,
};

/// Divides every residual sum, so that the hidden states keep their size
/// through 96 of them.
const RESIDUAL_DIVISOR: f64 = 1.05;

/// All blocks and the last norm.
#[derive(Module, Debug)]
pub struct Encoder<B: Backend> {
    /// The blocks, first to last.
    pub layers: Vec<TransformerBlock<B>>,
    /// The norm after the last block.
    pub output_layernorm: RmsNorm<B>,
    /// Whether training keeps only the inputs of the blocks and computes the rest again
    /// for the gradients ([`recompute`]); off at first.
    pub recompute: bool,
    #[module(skip)]
    pub(super) waiting: WaitingLayers,
}

linear_layers!(Encoder { layers });

/// Self-attention and feed-forward, each behind a norm and beside a residual.
#[derive(Module, Debug)]
pub struct TransformerBlock<B: Backend> {
    /// `None` where the configuration leaves it out.
    pub self_att: Option<SelfAttentionBlock<B>>,
    /// `None` where the configuration leaves it out.
    pub ffn: Option<FeedForwardBlock<B>>,
}

linear_layers!(TransformerBlock { self_att, ffn });

/// `(x + attention(norm(x))) / 1.05`.
#[derive(Module, Debug)]
pub struct SelfAttentionBlock<B: Backend> {
    /// The norm of the attention's input.
    pub layernorm_before_attention: RmsNorm<B>,
    /// The attention.
    pub self_attention: Attention<B>,
}

linear_layers!(SelfAttentionBlock { self_attention });

/// `(x + ffn(norm(x))) / 1.05`.
#[derive(Module, Debug)]
pub struct FeedForwardBlock<B: Backend> {
    /// The norm of the feed-forward layer's input.
    pub layernorm_before_ffn: RmsNorm<B>,
    /// The feed-forward layer.
    pub ffn: FeedForward<B>,
}

linear_layers!(FeedForwardBlock { ffn });

impl<B: Backend> Encoder<B> {
    /// An encoder with fresh weights.
    pub fn new(config: &CpmBeeConfig, device: &B::Device) -> Self {
        let masks = config
            .mask_modules
            .clone()
            .unwrap_or_else(|| vec![(false, false); config.num_layers]);
        let layers = masks
            .into_iter()
            .map(|(no_attention, no_ffn)| TransformerBlock {
                self_att: (!no_attention).then(|| SelfAttentionBlock::new(config, device)),
                ffn: (!no_ffn).then(|| FeedForwardBlock::new(config, device)),
            });
        Self {
            layers: layers.collect(),
            output_layernorm: RmsNorm::new(config.dim_model, config.eps, device),
            recompute: false,
            waiting: WaitingLayers::default(),
        }
    }
}

impl<B: MpmBackend> Encoder<B> {
    /// Runs all blocks and the last norm.
    ///
    /// `observe` is called with the index and the output of each block, before
    /// the last norm.
    ///
    /// # Shapes
    /// - x, output, observed: `[batch, seq, d_model]`
    ///
    /// # Errors
    /// [`LlmError::CacheFull`] when the cache has no room for `seq` tokens, [`LlmError::Weights`]
    /// when a layer that waits in its file cannot be read.
    pub fn forward(
        &self,
        x: Tensor<B, 3>,
        bias: &AttentionBias<B>,
        mut cache: Option<&mut KvCache<B>>,
        mut observe: impl FnMut(usize, &Tensor<B, 3>),
    ) -> Result<Tensor<B, 3>, LlmError> {
        let forward = |x, index, layer: &TransformerBlock<B>| {
            let cache = cache.as_deref_mut().map(|cache| cache.layer_mut(index));
            let x = match cache {
                None if self.recompute => {
                    recompute(layer, (x, bias.clone()), |layer, (x, bias)| {
                        layer.forward(x, &bias, None)
                    })
                }
                cache => layer.forward(x, bias, cache),
            }?;
            observe(index, &x);
            Ok::<_, LlmError>(x)
        };
        let x = self.waiting.fold(&self.layers, x, forward)?;
        Ok(self.output_layernorm.forward(x))
    }
}

impl<B: MpmBackend> TransformerBlock<B> {
    /// # Shapes
    /// - x, output: `[batch, len_q, d_model]`
    ///
    /// # Errors
    /// [`LlmError::CacheFull`] when the cache has no room for `x`.
    pub fn forward(
        &self,
        mut x: Tensor<B, 3>,
        bias: &AttentionBias<B>,
        cache: Option<&mut LayerCache<B>>,
    ) -> Result<Tensor<B, 3>, LlmError> {
        if let Some(block) = &self.self_att {
            x = block.forward(x, bias, cache)?;
        }
        if let Some(block) = &self.ffn {
            x = block.forward(x);
        }
        Ok(x)
    }
}

impl<B: Backend> SelfAttentionBlock<B> {
    /// A block with fresh weights.
    pub fn new(config: &CpmBeeConfig, device: &B::Device) -> Self {
        Self {
            layernorm_before_attention: RmsNorm::new(config.dim_model, config.eps, device),
            self_attention: Attention::new(config, device),
        }
    }
}

impl<B: MpmBackend> SelfAttentionBlock<B> {
    /// # Shapes
    /// - x, output: `[batch, len_q, d_model]`
    ///
    /// # Errors
    /// [`LlmError::CacheFull`] when the cache has no room for `x`.
    pub fn forward(
        &self,
        x: Tensor<B, 3>,
        bias: &AttentionBias<B>,
        cache: Option<&mut LayerCache<B>>,
    ) -> Result<Tensor<B, 3>, LlmError> {
        let normed = self.layernorm_before_attention.forward(x.clone());
        Ok(residual(
            x,
            self.self_attention.forward(normed, bias, cache)?,
        ))
    }
}

impl<B: Backend> FeedForwardBlock<B> {
    /// A block with fresh weights.
    pub fn new(config: &CpmBeeConfig, device: &B::Device) -> Self {
        Self {
            layernorm_before_ffn: RmsNorm::new(config.dim_model, config.eps, device),
            ffn: FeedForward::new(config, device),
        }
    }
}

impl<B: MpmBackend> FeedForwardBlock<B> {
    /// # Shapes
    /// - x, output: `[batch, seq, d_model]`
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        let normed = self.layernorm_before_ffn.forward(x.clone());
        residual(x, self.ffn.forward(normed))
    }
}

fn residual<B: Backend>(x: Tensor<B, 3>, change: Tensor<B, 3>) -> Tensor<B, 3> {
    (x + change).div_scalar(RESIDUAL_DIVISOR)
}
