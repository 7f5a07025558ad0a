//! Operations worth fusing, as an extension of Burn's [`Backend`].
//!
//! [`MpmBackend`] follows Burn's backend-extension pattern: every operation has
//! a default that is composed of Burn's own operations, so it works on every
//! backend and differentiates by itself; a backend that can do better overrides
//! it. Model code calls the functions of this module, which take [`Tensor`]s of
//! any rank and never see a primitive.

mod activation;
mod attention;
mod autodiff;
mod composed;
mod conv2d;
mod cross_entropy;
#[cfg(any(
    feature = "cuda",
    feature = "wgpu",
    feature = "vulkan",
    feature = "metal"
))]
mod cube;
#[cfg(feature = "flex")]
mod flex;
#[cfg(feature = "fusion")]
mod fusion;
mod group_norm;
mod heads;
mod quantized;
mod swap;
#[cfg(all(test, feature = "flex"))]
mod tests;

pub use activation::{gated_gelu, gelu, silu};
pub use attention::{AttentionGrads, attention};
pub use conv2d::{Conv2dOptions, conv2d};
pub use cross_entropy::cross_entropy;
pub use group_norm::{Activation, GroupNormGrads, GroupNormOptions, group_norm, group_norm_silu};
pub use heads::{merge_heads, split_heads};
pub use quantized::{dequantized, quantized_linear};
pub use swap::{swapped, transposed};

use burn::tensor::{
    Tensor, TensorPrimitive,
    backend::Backend,
    ops::{BoolTensor, FloatTensor, IntTensor},
};
use std::ops::Range;

/// A [`Backend`] with the fused operations that MPM's models use.
///
/// All methods have composed defaults: `impl MpmBackend for MyBackend {}` is
/// enough for a backend of your own. [`Autodiff`](burn::backend::Autodiff) over
/// any `MpmBackend` is one too, and differentiates by the `_backward` methods.
pub trait MpmBackend: Backend {
    /// Exact (erf) GELU of a `[rows, width]` tensor, see [`gelu()`].
    fn gelu_2d(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::gelu::<Self>(x)
    }

    /// The gradient of [`gelu_2d`](Self::gelu_2d)'s input, from that of its output.
    fn gelu_2d_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::gelu_backward::<Self>(x, grad)
    }

    /// SiLU of a `[rows, width]` tensor, see [`silu()`].
    fn silu_2d(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::silu::<Self>(x)
    }

    /// The gradient of [`silu_2d`](Self::silu_2d)'s input, from that of its output.
    fn silu_2d_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::silu_backward::<Self>(x, grad)
    }

    /// `gelu(gate) * value` of two `[rows, width]` tensors, see [`gated_gelu()`].
    fn gated_gelu_2d(gate: FloatTensor<Self>, value: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::gated_gelu::<Self>(gate, value)
    }

    /// The gradients of [`gated_gelu_2d`](Self::gated_gelu_2d)'s gate and value,
    /// from that of its output.
    fn gated_gelu_2d_backward(
        gate: FloatTensor<Self>,
        value: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::gated_gelu_backward::<Self>(gate, value, grad)
    }

    /// RMS norm of a `[rows, width]` tensor by a `[width]` weight, see [`rms_norm`].
    fn rms_norm_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        composed::rms_norm::<Self>(x, weight, epsilon)
    }

    /// The gradients of [`rms_norm_2d`](Self::rms_norm_2d)'s input and weight,
    /// from that of its output.
    fn rms_norm_2d_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f64,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        composed::rms_norm_backward::<Self>(x, weight, epsilon, grad)
    }

    /// Layer norm of a `[rows, width]` tensor by a `[width]` weight and bias, see
    /// [`layer_norm`].
    fn layer_norm_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        Self::layer_norm(x, weight, Some(bias), epsilon)
    }

    /// The gradients of [`layer_norm_2d`](Self::layer_norm_2d)'s input, weight and bias,
    /// from that of its output.
    fn layer_norm_2d_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        epsilon: f64,
        grad: FloatTensor<Self>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        composed::layer_norm_backward::<Self>(x, weight, epsilon, grad)
    }

    /// Group norm of a `[batch, channels, height, width]` tensor by a `[channels]` weight
    /// and bias, see [`group_norm()`].
    fn group_norm_4d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: GroupNormOptions,
    ) -> FloatTensor<Self> {
        composed::group_norm::<Self>(x, weight, bias, options)
    }

    /// The gradients of [`group_norm_4d`](Self::group_norm_4d)'s inputs, from that of its
    /// output.
    fn group_norm_4d_backward(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: GroupNormOptions,
        grad: FloatTensor<Self>,
    ) -> GroupNormGrads<FloatTensor<Self>> {
        composed::group_norm_backward::<Self>(x, weight, bias, options, grad)
    }

    /// `[rows, d_in]` times the transpose of `[d_out, d_in]`, plus `[d_out]`, see
    /// [`linear`].
    fn linear_2d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        composed::linear::<Self>(x, weight, bias)
    }

    /// The gradient of [`linear_2d`](Self::linear_2d)'s input, from that of its output.
    fn linear_2d_x_backward(
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        composed::linear_x_backward::<Self>(weight, grad)
    }

    /// The gradient of [`linear_2d`](Self::linear_2d)'s weight, from that of its output.
    fn linear_2d_weight_backward(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        composed::linear_weight_backward::<Self>(x, grad)
    }

    /// `[rows, d_in]` times the transpose of a quantized `[d_out, d_in]`, plus `[d_out]`, see
    /// [`quantized_linear`].
    fn quantized_linear_2d(
        x: FloatTensor<Self>,
        codes: IntTensor<Self>,
        scales: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        composed::quantized_linear::<Self>(x, codes, scales, bias)
    }

    /// The gradient of [`quantized_linear_2d`](Self::quantized_linear_2d)'s input of width `d_in`,
    /// from that of its output.
    fn quantized_linear_2d_x_backward(
        codes: IntTensor<Self>,
        scales: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        d_in: usize,
    ) -> FloatTensor<Self> {
        composed::quantized_linear_x_backward::<Self>(codes, scales, grad, d_in)
    }

    /// A quantized `[d_out, d_in]` in f32, see [`dequantized`].
    fn dequantized_2d(
        codes: IntTensor<Self>,
        scales: FloatTensor<Self>,
        d_in: usize,
    ) -> FloatTensor<Self> {
        composed::dequantized::<Self>(codes, scales, d_in)
    }

    /// Convolution of a `[batch, c_in, height, width]` tensor by a
    /// `[c_out, c_in, kernel_height, kernel_width]` weight, plus `[c_out]`, see [`conv2d()`].
    fn conv2d_4d(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        options: Conv2dOptions,
    ) -> FloatTensor<Self> {
        composed::conv2d::<Self>(x, weight, bias, options)
    }

    /// The gradient of [`conv2d_4d`](Self::conv2d_4d)'s input of shape `x_dims`, from that of
    /// its output.
    fn conv2d_4d_x_backward(
        weight: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        x_dims: [usize; 4],
        options: Conv2dOptions,
    ) -> FloatTensor<Self> {
        composed::conv2d_x_backward::<Self>(weight, grad, x_dims, options)
    }

    /// The gradient of [`conv2d_4d`](Self::conv2d_4d)'s weight of shape `weight_dims`, from
    /// that of its output.
    fn conv2d_4d_weight_backward(
        x: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        weight_dims: [usize; 4],
        options: Conv2dOptions,
    ) -> FloatTensor<Self> {
        composed::conv2d_weight_backward::<Self>(x, grad, weight_dims, options)
    }

    /// The gradient of [`conv2d_4d`](Self::conv2d_4d)'s bias, from that of its output.
    fn conv2d_4d_bias_backward(grad: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::conv2d_bias_backward::<Self>(grad)
    }

    /// `[batch, rows, columns, width]` as `[batch, columns, rows, width]`, see [`swapped`].
    fn swapped_4d(x: FloatTensor<Self>) -> FloatTensor<Self> {
        composed::swapped::<Self>(x)
    }

    /// Cross entropy of `[rows, classes]` logits and `[rows]` classes, see [`cross_entropy()`].
    fn cross_entropy_2d(logits: FloatTensor<Self>, classes: IntTensor<Self>) -> FloatTensor<Self> {
        composed::cross_entropy::<Self>(logits, classes)
    }

    /// The gradient of [`cross_entropy_2d`](Self::cross_entropy_2d)'s logits, from that of its
    /// output.
    fn cross_entropy_2d_backward(
        logits: FloatTensor<Self>,
        classes: IntTensor<Self>,
        grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        composed::cross_entropy_backward::<Self>(logits, classes, grad)
    }

    /// Writes `new` into a window of `buffer`, see [`assign`].
    fn assign_window(
        buffer: FloatTensor<Self>,
        window: &[Range<usize>],
        new: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        composed::assign::<Self>(buffer, window, new)
    }

    /// Attention with additive bias and mask, see [`attention()`].
    fn biased_attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        hidden: Option<BoolTensor<Self>>,
        scale: f64,
    ) -> FloatTensor<Self> {
        composed::attention::<Self>(query, key, value, bias, hidden, scale)
    }

    /// The gradients of [`biased_attention`](Self::biased_attention)'s inputs,
    /// from that of its output.
    fn biased_attention_backward(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
        hidden: Option<BoolTensor<Self>>,
        scale: f64,
        grad: FloatTensor<Self>,
    ) -> AttentionGrads<FloatTensor<Self>> {
        composed::attention_backward::<Self>(query, key, value, bias, hidden, scale, grad)
    }
}

/// Root-mean-square norm without bias: `x / √(mean(x²) + ε) · weight`.
///
/// The mean is accumulated in f32 whatever the dtype of `x`.
///
/// # Shapes
/// - x, output: `[..., width]`
/// - weight: `[width]`
///
/// # Panics
/// When the weight has another width.
pub fn rms_norm<B: MpmBackend, const D: usize>(
    x: Tensor<B, D>,
    weight: Tensor<B, 1>,
    epsilon: f64,
) -> Tensor<B, D> {
    let dims = x.dims();
    let (width, weights) = (dims[D - 1], weight.dims()[0]);
    assert!(
        weights == width,
        "a norm with {weights} weights does not fit a width of {width}"
    );
    let output = B::rms_norm_2d(into_rows(x), weight.into_primitive().tensor(), epsilon);
    from_rows(output, dims)
}

/// Layer norm: `(x - mean(x)) / √(var(x) + ε) · weight + bias`, where the variance is the
/// mean square of the deviations.
///
/// # Shapes
/// - x, output: `[..., width]`
/// - weight, bias: `[width]`
///
/// # Panics
/// When weight or bias have another width.
pub fn layer_norm<B: MpmBackend, const D: usize>(
    x: Tensor<B, D>,
    weight: Tensor<B, 1>,
    bias: Tensor<B, 1>,
    epsilon: f64,
) -> Tensor<B, D> {
    let dims = x.dims();
    let (width, weights, biases) = (dims[D - 1], weight.dims()[0], bias.dims()[0]);
    assert!(
        weights == width && biases == width,
        "a norm with {weights} weights and {biases} biases does not fit a width of {width}"
    );
    let [weight, bias] = [weight, bias].map(|parameter| parameter.into_primitive().tensor());
    from_rows(B::layer_norm_2d(into_rows(x), weight, bias, epsilon), dims)
}

/// A linear layer, `x · weightᵀ + bias`.
///
/// On the CPU, a handful of rows (decoding) runs at the speed at which the
/// weights can be read.
///
/// # Shapes
/// - x: `[..., d_in]`
/// - weight: `[d_out, d_in]`, as PyTorch stores it
/// - bias: `[d_out]`
/// - output: `[..., d_out]`
///
/// # Panics
/// When `x` has another width than the weight, or the bias another than the output.
pub fn linear<B: MpmBackend, const D: usize>(
    x: Tensor<B, D>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
) -> Tensor<B, D> {
    let mut dims = x.dims();
    let [d_out, d_in] = weight.dims();
    let width = dims[D - 1];
    assert!(
        width == d_in,
        "an input of width {width} does not fit a linear layer of {d_in}"
    );
    let biases = bias.as_ref().map_or(d_out, |bias| bias.dims()[0]);
    assert!(
        biases == d_out,
        "a linear layer to a width of {d_out} cannot have {biases} biases"
    );
    dims[D - 1] = d_out;
    let output = B::linear_2d(
        into_rows(x),
        weight.into_primitive().tensor(),
        bias.map(|bias| bias.into_primitive().tensor()),
    );
    from_rows(output, dims)
}

/// Writes `new` into a window of `buffer`; in place on the CPU if nobody else holds the
/// buffer. Burn's `slice_assign` always copies all of it there.
///
/// # Shapes
/// - buffer, output: any; the window lies within it
/// - new: that of the window
///
/// # Panics
/// When `new` has another shape than the window, or the window is not within the buffer.
pub fn assign<B: MpmBackend, const D: usize>(
    buffer: Tensor<B, D>,
    window: [Range<usize>; D],
    new: Tensor<B, D>,
) -> Tensor<B, D> {
    let (size, dims) = (buffer.dims(), new.dims());
    let fits = (0..D).all(|i| window[i].len() == dims[i] && window[i].end <= size[i]);
    assert!(fits, "{dims:?} do not fit {window:?} of {size:?}");
    from_primitive(B::assign_window(
        buffer.into_primitive().tensor(),
        &window,
        new.into_primitive().tensor(),
    ))
}

fn into_rows<B: Backend, const D: usize>(x: Tensor<B, D>) -> FloatTensor<B> {
    let dims = x.dims();
    // not inferred from the width, which may be 0
    let rows: usize = dims[..D - 1].iter().product();
    x.reshape([rows, dims[D - 1]]).into_primitive().tensor()
}

fn from_rows<B: Backend, const D: usize>(rows: FloatTensor<B>, dims: [usize; D]) -> Tensor<B, D> {
    from_primitive::<B, 2>(rows).reshape(dims)
}

fn from_primitive<B: Backend, const D: usize>(primitive: FloatTensor<B>) -> Tensor<B, D> {
    Tensor::from_primitive(TensorPrimitive::Float(primitive))
}
