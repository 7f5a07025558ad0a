//! A linear layer over the rows of a batch.

use burn::{
    nn::Linear,
    tensor::{Tensor, backend::Backend},
};

/// Applies `layer` to `[batch, seq, d_in]` as one `[batch · seq, d_in]` matrix.
///
/// Burn multiplies a batch matrix by matrix, and its gradient for the weight
/// holds one copy of the weight per element of the batch; as rows both are a
/// single product.
///
/// # Shapes
/// - x: `[batch, seq, d_in]`
/// - output: `[batch, seq, d_out]`
pub(crate) fn linear<B: Backend>(layer: &Linear<B>, x: Tensor<B, 3>) -> Tensor<B, 3> {
    let [batch, seq, d_in] = x.dims();
    let rows = layer.forward(x.reshape([batch * seq, d_in]));
    let d_out = rows.dims()[1];
    rows.reshape([batch, seq, d_out])
}
