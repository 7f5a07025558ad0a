//! The transformer encoder of BEiT-3.
//!
//! Source: torchscale's `architecture/encoder.py` with `multiway` and `subln`.

use burn::{
    module::{Initializer, Module},
    nn::{Embedding, EmbeddingConfig},
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{MpmBackend, linear_layers, nn::LayerNorm, recompute::recompute};

use crate::{
    attention::MultiheadAttention,
    config::Beit3Config,
    embedding::{POSITION_OFFSET, add_positions},
    feed_forward::FeedForwardNetwork,
    multiway::{Multiway, Tokens},
};

/// A pre-norm layer: attention and feed-forward, each with a residual connection.
#[derive(Module, Debug)]
pub struct EncoderLayer<B: Backend> {
    /// Self-attention.
    pub self_attn: MultiheadAttention<B>,
    /// Norm before the attention.
    pub self_attn_layer_norm: Multiway<B, LayerNorm<B>>,
    /// Feed-forward networks.
    pub ffn: Multiway<B, FeedForwardNetwork<B>>,
    /// Norm before the feed-forward network.
    pub final_layer_norm: Multiway<B, LayerNorm<B>>,
}

linear_layers!(EncoderLayer { self_attn, ffn });

impl<B: Backend> EncoderLayer<B> {
    fn new(config: &Beit3Config, device: &B::Device) -> Self {
        let norm = || LayerNorm::new(config.d_model, config.layer_norm_eps, device);
        Self {
            self_attn: MultiheadAttention::new(config, device),
            self_attn_layer_norm: Multiway::new(norm),
            ffn: Multiway::new(|| FeedForwardNetwork::new(config, device)),
            final_layer_norm: Multiway::new(norm),
        }
    }
}

impl<B: MpmBackend> EncoderLayer<B> {
    /// The next states of all tokens.
    pub fn forward(&self, tokens: Tokens<B>) -> Tokens<B> {
        let normed = self.attention_input(tokens.clone());
        let attended = self.self_attn.forward(normed.clone(), normed);
        self.feed_forward(tokens.add(attended))
    }

    /// The next states of the [readout](Tokens::readout) only, equal to those of
    /// [`forward`](Self::forward): after the last layer nobody looks at the others.
    pub fn forward_readout(&self, tokens: Tokens<B>) -> Tokens<B> {
        let normed = self.attention_input(tokens.clone());
        let attended = self.self_attn.forward(normed.clone().readout(), normed);
        self.feed_forward(tokens.readout().add(attended))
    }

    /// What the attention sees of the residual stream.
    pub fn attention_input(&self, tokens: Tokens<B>) -> Tokens<B> {
        self.self_attn_layer_norm
            .forward(tokens, LayerNorm::forward)
    }

    fn feed_forward(&self, tokens: Tokens<B>) -> Tokens<B> {
        let normed = self
            .final_layer_norm
            .forward(tokens.clone(), LayerNorm::forward);
        tokens.add(self.ffn.forward(normed, FeedForwardNetwork::forward))
    }
}

/// Positions, layers and the output norm.
#[derive(Module, Debug)]
pub struct Encoder<B: Backend> {
    /// Position tables `[positions, d_model]` of the picture's tokens and of the queries.
    pub embed_positions: Multiway<B, Embedding<B>>,
    /// The layers, first to last.
    pub layers: Vec<EncoderLayer<B>>,
    /// Norm of the output.
    pub layer_norm: Multiway<B, LayerNorm<B>>,
    /// Whether training keeps only the inputs of the layers and computes the rest again
    /// for the gradients ([`recompute`]); off at first.
    pub recompute: bool,
}

linear_layers!(Encoder { layers });

impl<B: Backend> Encoder<B> {
    pub(crate) fn new(config: &Beit3Config, device: &B::Device) -> Self {
        let positions = |count| {
            EmbeddingConfig::new(count, config.d_model)
                .with_initializer(Initializer::Normal {
                    mean: 0.0,
                    std: config.init_std,
                })
                .init(device)
        };
        let norm = || LayerNorm::new(config.d_model, config.layer_norm_eps, device);
        Self {
            embed_positions: Multiway::from_experts(
                positions(config.num_picture_tokens() + POSITION_OFFSET),
                positions(config.max_positions),
            ),
            layers: (0..config.num_layers)
                .map(|_| EncoderLayer::new(config, device))
                .collect(),
            layer_norm: Multiway::new(norm),
            recompute: false,
        }
    }

    /// Adds positions, which count from the start of each part anew.
    ///
    /// # Shapes
    /// - picture: `[batch, num_picture_tokens, d_model]`
    /// - queries: `[num_queries, d_model]`, the same for the whole batch
    pub fn embed(&self, picture: Tensor<B, 3>, queries: Option<Tensor<B, 2>>) -> Tokens<B> {
        let [batch, _, d_model] = picture.dims();
        let positions = &self.embed_positions;
        let queries = queries.map(|queries| {
            let count = queries.dims()[0];
            let placed = add_positions(queries.unsqueeze(), &positions.B);
            placed.expand([batch, count, d_model])
        });
        Tokens::new(add_positions(picture, &positions.A), queries)
    }
}

impl<B: MpmBackend> Encoder<B> {
    /// Runs all layers and returns the [readout](Tokens::readout):
    /// `[batch, num_queries, d_model]`, or the picture's tokens without queries.
    pub fn forward(&self, tokens: Tokens<B>) -> Tensor<B, 3> {
        let tokens = match self.layers.split_last() {
            None => tokens.readout(),
            Some((last, layers)) => {
                let tokens = layers.iter().fold(tokens, |tokens, layer| {
                    self.run(layer, tokens, EncoderLayer::forward)
                });
                self.run(last, tokens, EncoderLayer::forward_readout)
            }
        };
        self.layer_norm.forward(tokens, LayerNorm::forward).concat()
    }

    fn run(
        &self,
        layer: &EncoderLayer<B>,
        tokens: Tokens<B>,
        forward: fn(&EncoderLayer<B>, Tokens<B>) -> Tokens<B>,
    ) -> Tokens<B> {
        match self.recompute {
            true => recompute(layer, tokens, forward),
            false => forward(layer, tokens),
        }
    }
}
