//! Group norm of pictures (Wu and He 2018), with or without SiLU in the same pass.

use burn::tensor::Tensor;

use super::{MpmBackend, from_primitive};

/// What [`MpmBackend::group_norm_4d`] is to do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GroupNormOptions {
    /// The number of groups into which the channels are split.
    pub groups: usize,
    /// What is added to the variance.
    pub epsilon: f64,
    /// What follows the norm in the same pass.
    pub activation: Activation,
}

/// What follows a norm in the same pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// `x · sigmoid(x)`
    Silu,
}

/// The gradients of the inputs of [`MpmBackend::group_norm_4d`], each of its input's shape.
#[derive(Debug, Clone)]
pub struct GroupNormGrads<T> {
    /// The gradient of the pictures.
    pub x: T,
    /// The gradient of the weight.
    pub weight: T,
    /// The gradient of the bias.
    pub bias: T,
}

/// Group norm: `(x - mean) / √(variance + ε) · weight + bias`, with the mean and the
/// (biased) variance of each group of neighbouring channels of each picture.
///
/// Both are accumulated in f32 or wider whatever the dtype of `x`.
///
/// # Shapes
/// - x, output: `[batch, channels, height, width]`
/// - weight, bias: `[channels]`
///
/// # Panics
/// When the channels do not divide into the groups, or weight or bias have another number.
pub fn group_norm<B: MpmBackend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 1>,
    bias: Tensor<B, 1>,
    groups: usize,
    epsilon: f64,
) -> Tensor<B, 4> {
    let options = GroupNormOptions {
        groups,
        epsilon,
        activation: Activation::Identity,
    };
    run(x, weight, bias, options)
}

/// [`group_norm()`] followed by [`silu`](super::silu), in one pass.
///
/// # Shapes
/// - x, output: `[batch, channels, height, width]`
/// - weight, bias: `[channels]`
///
/// # Panics
/// As [`group_norm()`].
pub fn group_norm_silu<B: MpmBackend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 1>,
    bias: Tensor<B, 1>,
    groups: usize,
    epsilon: f64,
) -> Tensor<B, 4> {
    let options = GroupNormOptions {
        groups,
        epsilon,
        activation: Activation::Silu,
    };
    run(x, weight, bias, options)
}

fn run<B: MpmBackend>(
    x: Tensor<B, 4>,
    weight: Tensor<B, 1>,
    bias: Tensor<B, 1>,
    options: GroupNormOptions,
) -> Tensor<B, 4> {
    let [_, channels, _, _] = x.dims();
    let groups = options.groups;
    assert!(
        groups > 0 && channels.is_multiple_of(groups),
        "{channels} channels do not divide into {groups} groups"
    );
    let (weights, biases) = (weight.dims()[0], bias.dims()[0]);
    assert!(
        weights == channels && biases == channels,
        "a norm with {weights} weights and {biases} biases does not fit {channels} channels"
    );
    from_primitive(B::group_norm_4d(
        x.into_primitive().tensor(),
        weight.into_primitive().tensor(),
        bias.into_primitive().tensor(),
        options,
    ))
}
