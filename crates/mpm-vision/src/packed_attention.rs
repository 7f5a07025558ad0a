//! Attention whose three projections lie in one matrix, as PyTorch's `nn.MultiheadAttention` has
//! them.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend,
    kernel::{attention, linear, merge_heads, split_heads},
    linear_layers,
    nn::TorchLinear,
};

/// Multi-head attention of queries to keys and values of the same width.
#[derive(Module, Debug)]
pub struct PackedAttention<B: Backend> {
    /// The projections of queries, keys and values below each other, `[3 · width, width]`.
    pub in_proj_weight: Param<Tensor<B, 2>>,
    /// Their biases, `[3 · width]`.
    pub in_proj_bias: Param<Tensor<B, 1>>,
    /// Projection of the heads' joined outputs.
    pub out_proj: TorchLinear<B>,
    num_heads: usize,
}

// The packed matrix is three layers in one, and neither quantized nor adapted.
linear_layers!(PackedAttention { out_proj });

/// The places of the three projections in the packed matrix.
#[derive(Clone, Copy)]
enum Projection {
    Query,
    Key,
    Value,
}

impl<B: Backend> PackedAttention<B> {
    /// Attention that starts as PyTorch's does: Xavier's uniform weights, biases of zero.
    ///
    /// `num_heads` divides `width`.
    pub(crate) fn new(width: usize, num_heads: usize, device: &B::Device) -> Self {
        // √(6 / (d_in + d_out)) of the packed matrix.
        let bound = (6.0 / (4 * width) as f64).sqrt();
        let uniform = Initializer::Uniform {
            min: -bound,
            max: bound,
        };
        Self {
            in_proj_weight: uniform.init([3 * width, width], device),
            in_proj_bias: Initializer::Zeros.init([3 * width], device),
            out_proj: TorchLinear::new(width, width, device),
            num_heads,
        }
    }
}

impl<B: MpmBackend> PackedAttention<B> {
    /// # Shapes
    /// - query: `[batch, queries, width]`, or `[1, queries, width]` when all of the batch asks the
    ///   same, which is then projected once
    /// - key, value: `[batch, len, width]`
    /// - output: `[batch, queries, width]`
    ///
    /// # Panics
    /// When a width or a batch is another one.
    pub fn forward(
        &self,
        query: Tensor<B, 3>,
        key: Tensor<B, 3>,
        value: Tensor<B, 3>,
    ) -> Tensor<B, 3> {
        let batch = key.dims()[0];
        let query = self.heads(query, Projection::Query);
        let [_, heads, queries, dim_head] = query.dims();
        let query = query.expand([batch, heads, queries, dim_head]);
        let key = self.heads(key, Projection::Key);
        let value = self.heads(value, Projection::Value);
        let scale = (dim_head as f64).powf(-0.5);
        let attended = attention(query, key, value, None, None, scale);
        self.out_proj.forward(merge_heads(attended))
    }

    /// `[batch, len, width]` to `[batch, heads, len, dim_head]`, projected.
    fn heads(&self, x: Tensor<B, 3>, projection: Projection) -> Tensor<B, 4> {
        let width = x.dims()[2];
        let first = projection as usize * width;
        let weight = self.in_proj_weight.val().narrow(0, first, width);
        let bias = self.in_proj_bias.val().narrow(0, first, width);
        split_heads(linear(x, weight, Some(bias)), self.num_heads)
    }
}
