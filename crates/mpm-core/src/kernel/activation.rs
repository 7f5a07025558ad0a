//! Activations, element by element.

use burn::tensor::Tensor;

use super::{MpmBackend, from_rows, into_rows};

/// Exact GELU, `x · Φ(x)` with the error function.
///
/// Burn's own `gelu` differentiates by the tanh approximation; this one's
/// gradient is exact, as PyTorch's is.
///
/// # Shapes
/// - input, output: `[..., width]`
pub fn gelu<B: MpmBackend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    let dims = x.dims();
    from_rows(B::gelu_2d(into_rows(x)), dims)
}

/// SiLU, `x · sigmoid(x)`.
///
/// # Shapes
/// - input, output: `[..., width]`
pub fn silu<B: MpmBackend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    let dims = x.dims();
    from_rows(B::silu_2d(into_rows(x)), dims)
}

/// The activation of a gated feed-forward layer: `gelu(gate) · value`.
///
/// # Shapes
/// - gate, value, output: `[..., width]`
///
/// # Panics
/// When gate and value differ in shape.
pub fn gated_gelu<B: MpmBackend, const D: usize>(
    gate: Tensor<B, D>,
    value: Tensor<B, D>,
) -> Tensor<B, D> {
    let (dims, values) = (gate.dims(), value.dims());
    assert!(
        dims == values,
        "a gate of shape {dims:?} does not fit a value of shape {values:?}"
    );
    let output = B::gated_gelu_2d(into_rows(gate), into_rows(value));
    from_rows(output, dims)
}
