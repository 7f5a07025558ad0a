//! Attention to the picture itself and to the text.
//!
//! Source: diffusers' `models/attention_processor.py`, `Attention`.

use burn::{
    module::Module,
    nn::{Dropout, DropoutConfig},
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    kernel::{attention, merge_heads, split_heads},
    linear_layers,
    nn::TorchLinear,
    recompute::Detach,
};

use crate::DiffusionError;

/// Keys and values, ready to be attended to.
///
/// # Shapes
/// - both: `[batch, heads, seq, dim_head]`
#[derive(Clone, Debug)]
pub struct KeyValue<B: Backend> {
    /// The keys.
    pub key: Tensor<B, 4>,
    /// The values.
    pub value: Tensor<B, 4>,
}

impl<B: Backend> Detach for KeyValue<B> {
    fn detached(&self) -> Self {
        Self {
            key: self.key.detached(),
            value: self.value.detached(),
        }
    }
}

/// Multi-head attention without biases but for the last projection.
///
/// Scores and their softmax are computed in f32 whatever the dtype, so there is no
/// `upcast_attention` to set.
#[derive(Module, Debug)]
pub struct Attention<B: Backend> {
    /// Projection to the queries.
    pub to_q: TorchLinear<B>,
    /// Projection to the keys.
    pub to_k: TorchLinear<B>,
    /// Projection to the values.
    pub to_v: TorchLinear<B>,
    /// Projection of the heads' joined outputs; beside the dropout, which never drops, it is
    /// `to_out.0`.
    pub to_out: (TorchLinear<B>, Dropout),
    heads: usize,
}

linear_layers!(Attention {
    to_q,
    to_k,
    to_v,
    to_out.0,
});

impl<B: Backend> Attention<B> {
    /// Lets pixels of width `channels` attend to tokens of width `context`.
    pub(super) fn new(channels: usize, context: usize, heads: usize, device: &B::Device) -> Self {
        Self {
            to_q: TorchLinear::new(channels, channels, device).without_bias(),
            to_k: TorchLinear::new(context, channels, device).without_bias(),
            to_v: TorchLinear::new(context, channels, device).without_bias(),
            to_out: (
                TorchLinear::new(channels, channels, device),
                DropoutConfig::new(0.0).init(),
            ),
            heads,
        }
    }

    /// [`DiffusionError::Shape`] unless keys and values have as many heads, of the same width.
    pub(super) fn check(&self, context: &KeyValue<B>) -> Result<(), DiffusionError> {
        let width = self.to_k.d_out() / self.heads;
        let found @ [_, heads, _, found_width] = context.key.dims();
        if [heads, found_width] == [self.heads, width] {
            return Ok(());
        }
        Err(DiffusionError::Shape {
            what: "keys of the text",
            expected: format!("[batch, {}, seq, {width}]", self.heads),
            found: found.to_vec(),
        })
    }
}

impl<B: MpmBackend> Attention<B> {
    /// Keys and values of what is attended to.
    ///
    /// # Shapes
    /// - context: `[batch, seq, context_width]`
    pub fn keys_values(&self, context: Tensor<B, 3>) -> KeyValue<B> {
        KeyValue {
            key: split_heads(self.to_k.forward(context.clone()), self.heads),
            value: split_heads(self.to_v.forward(context), self.heads),
        }
    }

    /// # Shapes
    /// - x, output: `[batch, pixels, channels]`
    pub fn forward(&self, x: Tensor<B, 3>, context: KeyValue<B>) -> Tensor<B, 3> {
        let query = split_heads(self.to_q.forward(x), self.heads);
        let scale = (query.dims()[3] as f64).powf(-0.5);
        let attended = attention(query, context.key, context.value, None, None, scale);
        self.to_out.0.forward(merge_heads(attended))
    }
}
