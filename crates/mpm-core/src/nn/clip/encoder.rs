//! The layers of the transformer.

use burn::{
    module::Module,
    tensor::{Bool, Tensor, backend::Backend},
};

use super::{activation::Activation, attention::ClipAttention};
use crate::{
    kernel::MpmBackend,
    linear_layers,
    nn::{LayerNorm, TorchLinear},
    recompute::recompute,
};

/// Sizes of the layers, which the configurations of both towers have.
///
/// Whoever makes it checks that all are positive and that the heads divide the width.
#[derive(Clone, Debug, PartialEq)]
pub struct ClipEncoderConfig {
    /// Width of a token; a multiple of `num_attention_heads`.
    pub hidden_size: usize,
    /// Width of the hidden layer of a feed-forward network.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads.
    pub num_attention_heads: usize,
    /// Activation of the feed-forward networks.
    pub hidden_act: Activation,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
}

/// The feed-forward network of a layer.
#[derive(Module, Debug)]
pub struct ClipMlp<B: Backend> {
    /// Projection from `hidden_size` to `intermediate_size`.
    pub fc1: TorchLinear<B>,
    /// Projection from `intermediate_size` to `hidden_size`.
    pub fc2: TorchLinear<B>,
    #[module(skip)]
    activation: Activation,
}

linear_layers!(ClipMlp { fc1, fc2 });

impl<B: Backend> ClipMlp<B> {
    /// A network with random weights.
    pub fn new(config: &ClipEncoderConfig, device: &B::Device) -> Self {
        let (width, inner) = (config.hidden_size, config.intermediate_size);
        Self {
            fc1: TorchLinear::new(width, inner, device),
            fc2: TorchLinear::new(inner, width, device),
            activation: config.hidden_act,
        }
    }
}

impl<B: MpmBackend> ClipMlp<B> {
    /// # Shapes
    /// - x, output: `[batch, tokens, hidden_size]`
    pub fn forward(&self, x: Tensor<B, 3>) -> Tensor<B, 3> {
        self.fc2
            .forward(self.activation.forward(self.fc1.forward(x)))
    }
}

/// A pre-norm layer: attention and feed-forward, each with a residual connection.
#[derive(Module, Debug)]
pub struct ClipEncoderLayer<B: Backend> {
    /// Self-attention.
    pub self_attn: ClipAttention<B>,
    /// Norm before the attention.
    pub layer_norm1: LayerNorm<B>,
    /// Feed-forward network.
    pub mlp: ClipMlp<B>,
    /// Norm before the feed-forward network.
    pub layer_norm2: LayerNorm<B>,
}

linear_layers!(ClipEncoderLayer { self_attn, mlp });

impl<B: Backend> ClipEncoderLayer<B> {
    fn new(config: &ClipEncoderConfig, device: &B::Device) -> Self {
        let norm = || LayerNorm::new(config.hidden_size, config.layer_norm_eps, device);
        Self {
            self_attn: ClipAttention::new(config, device),
            layer_norm1: norm(),
            mlp: ClipMlp::new(config, device),
            layer_norm2: norm(),
        }
    }
}

impl<B: MpmBackend> ClipEncoderLayer<B> {
    /// # Shapes
    /// - x, output: `[batch, tokens, hidden_size]`
    /// - hidden: as [`ClipAttention::forward`] takes it
    pub fn forward(&self, x: Tensor<B, 3>, hidden: Option<Tensor<B, 4, Bool>>) -> Tensor<B, 3> {
        let attended = self
            .self_attn
            .forward(self.layer_norm1.forward(x.clone()), hidden);
        let x = x + attended;
        x.clone() + self.mlp.forward(self.layer_norm2.forward(x))
    }
}

/// All layers.
#[derive(Module, Debug)]
pub struct ClipEncoder<B: Backend> {
    /// The layers, first to last.
    pub layers: Vec<ClipEncoderLayer<B>>,
    /// Whether training keeps only the inputs of the layers and computes the rest again for the
    /// gradients ([`recompute`]); off at first.
    pub recompute: bool,
}

linear_layers!(ClipEncoder { layers });

impl<B: Backend> ClipEncoder<B> {
    /// Layers with random weights.
    pub fn new(config: &ClipEncoderConfig, device: &B::Device) -> Self {
        Self {
            layers: (0..config.num_hidden_layers)
                .map(|_| ClipEncoderLayer::new(config, device))
                .collect(),
            recompute: false,
        }
    }
}

impl<B: MpmBackend> ClipEncoder<B> {
    /// # Shapes
    /// - x, output: `[batch, tokens, hidden_size]`
    /// - hidden: as [`ClipAttention::forward`] takes it
    pub fn forward(&self, x: Tensor<B, 3>, hidden: Option<Tensor<B, 4, Bool>>) -> Tensor<B, 3> {
        self.forward_first(self.layers.len(), x, hidden)
    }

    /// As [`forward`](Self::forward), but through the first `count` layers only.
    ///
    /// # Panics
    /// When there are fewer layers.
    pub fn forward_first(
        &self,
        count: usize,
        x: Tensor<B, 3>,
        hidden: Option<Tensor<B, 4, Bool>>,
    ) -> Tensor<B, 3> {
        let forward = |layer: &ClipEncoderLayer<B>, (x, hidden)| layer.forward(x, hidden);
        self.layers[..count].iter().fold(x, |x, layer| {
            let inputs = (x, hidden.clone());
            match self.recompute {
                true => recompute(layer, inputs, forward),
                false => forward(layer, inputs),
            }
        })
    }
}
