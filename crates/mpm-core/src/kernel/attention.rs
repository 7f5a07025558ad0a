//! Multi-head attention.

use burn::tensor::{Bool, Tensor};

use super::{MpmBackend, from_primitive};

/// The gradients of the inputs of [`MpmBackend::biased_attention`], each of its
/// input's shape.
#[derive(Debug, Clone)]
pub struct AttentionGrads<T> {
    /// The gradient of the queries.
    pub query: T,
    /// The gradient of the keys.
    pub key: T,
    /// The gradient of the values.
    pub value: T,
    /// The gradient of the bias, summed over what it was broadcast to; `Some` if
    /// there is a bias.
    pub bias: Option<T>,
}

/// Multi-head attention, `softmax(scale · Q Kᵀ + bias) V`.
///
/// A query that may see no key at all gets zeros, not NaN.
///
/// # Shapes
/// - query: `[batch, heads, len_q, dim_head]`
/// - key: `[batch, heads, len_k, dim_head]`
/// - value: `[batch, heads, len_k, dim_value]`
/// - bias: broadcastable to `[batch, heads, len_q, len_k]`
/// - hidden: broadcastable to `[batch, heads, len_q, len_k]`, true where the
///   query must not see the key
/// - output: `[batch, heads, len_q, dim_value]`
pub fn attention<B: MpmBackend>(
    query: Tensor<B, 4>,
    key: Tensor<B, 4>,
    value: Tensor<B, 4>,
    bias: Option<Tensor<B, 4>>,
    hidden: Option<Tensor<B, 4, Bool>>,
    scale: f64,
) -> Tensor<B, 4> {
    from_primitive(B::biased_attention(
        query.into_primitive().tensor(),
        key.into_primitive().tensor(),
        value.into_primitive().tensor(),
        bias.map(|bias| bias.into_primitive().tensor()),
        hidden.map(|hidden| hidden.into_primitive()),
        scale,
    ))
}
