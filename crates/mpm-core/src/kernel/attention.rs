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
///
/// # Panics
/// When keys, values, bias or mask have other shapes than these.
pub fn attention<B: MpmBackend>(
    query: Tensor<B, 4>,
    key: Tensor<B, 4>,
    value: Tensor<B, 4>,
    bias: Option<Tensor<B, 4>>,
    hidden: Option<Tensor<B, 4, Bool>>,
    scale: f64,
) -> Tensor<B, 4> {
    let (queries, keys, values) = (query.dims(), key.dims(), value.dims());
    let [batch, heads, len_q, dim_head] = queries;
    let [_, _, len_k, dim_value] = values;
    assert!(
        keys == [batch, heads, keys[2], dim_head],
        "keys of shape {keys:?} do not fit queries of shape {queries:?}"
    );
    assert!(
        values == [batch, heads, keys[2], dim_value],
        "values of shape {values:?} do not fit keys of shape {keys:?}"
    );
    let additions = [
        bias.as_ref().map(|bias| bias.dims()),
        hidden.as_ref().map(|hidden| hidden.dims()),
    ];
    for dims in additions.into_iter().flatten() {
        assert_broadcasts(dims, [batch, heads, len_q, len_k]);
    }
    from_primitive(B::biased_attention(
        query.into_primitive().tensor(),
        key.into_primitive().tensor(),
        value.into_primitive().tensor(),
        bias.map(|bias| bias.into_primitive().tensor()),
        hidden.map(|hidden| hidden.into_primitive()),
        scale,
    ))
}

fn assert_broadcasts(dims: [usize; 4], scores: [usize; 4]) {
    assert!(
        (0..4).all(|i| dims[i] == scores[i] || dims[i] == 1),
        "a bias or mask of shape {dims:?} does not broadcast to scores of shape {scores:?}"
    );
}
