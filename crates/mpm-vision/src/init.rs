//! How BEiT-3's weights start, for training from scratch.
//!
//! VisCPM's `BEiT3Wrapper` draws the weights of linear layers from a normal
//! distribution of deviation 0.02 ([`Beit3Config::init_std`](crate::Beit3Config)) cut at
//! one deviation and zeroes the biases. Position tables start alike here, where
//! torchscale draws them from N(0, 1).
//! Sub-layernorm (Magneto, <https://arxiv.org/abs/2210.06423>, and torchscale's
//! `Encoder`) multiplies those of the value and output projections and of the
//! feed-forward networks by √(ln 2N) for N layers. In the reference the wrapper
//! redraws the weights and so loses that factor; here it is kept.

use burn::{
    module::{Initializer, Param, ParamId},
    tensor::{Distribution, Tensor, backend::Backend},
};
use mpm_core::nn::TorchLinear;
use std::f64::consts::SQRT_2;

/// Mass of a normal distribution within one standard deviation, erf(1/√2).
const MASS_WITHIN_STD: f64 = 0.682_689_492_137_085_9;

/// The sub-layernorm factor √(ln 2N) of an encoder with N layers.
pub(crate) fn sub_layer_norm_gain(num_layers: usize) -> f64 {
    (2.0 * num_layers as f64).ln().sqrt()
}

/// A linear layer with zero biases and weights from a normal distribution of
/// deviation `std`, cut at one deviation.
pub(crate) fn linear<B: Backend>(
    d_in: usize,
    d_out: usize,
    std: f64,
    device: &B::Device,
) -> TorchLinear<B> {
    TorchLinear::from_parameters(
        truncated_normal([d_out, d_in], std, device),
        Some(Initializer::Zeros.init([d_out], device)),
    )
}

/// A lazily drawn parameter from a normal distribution cut at one deviation.
fn truncated_normal<B: Backend, const D: usize>(
    shape: [usize; D],
    std: f64,
    device: &B::Device,
) -> Param<Tensor<B, D>> {
    Param::uninitialized(
        ParamId::new(),
        move |device, require_grad| {
            let range = Distribution::Uniform(-MASS_WITHIN_STD, MASS_WITHIN_STD);
            let uniform = Tensor::random(shape, range, device);
            erf_inv(uniform)
                .mul_scalar(SQRT_2 * std)
                .set_require_grad(require_grad)
        },
        device.clone(),
        true,
        shape.into(),
    )
}

/// The inverse error function for |x| < 0.996: the central polynomial of Giles,
/// "Approximating the erfinv function" (GPU Computing Gems, 2012), table 5.
fn erf_inv<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    const COEFFICIENTS: [f64; 9] = [
        2.810_226_36e-8,
        3.432_739_39e-7,
        -3.523_387_7e-6,
        -4.391_506_54e-6,
        2.185_808_7e-4,
        -1.253_725_03e-3,
        -4.177_681_64e-3,
        0.246_640_727,
        1.501_409_41,
    ];
    let w = (-x.clone().square().neg().log1p()).sub_scalar(2.5);
    COEFFICIENTS
        .iter()
        .fold(x.zeros_like(), |sum, &coefficient| {
            (sum * w.clone()).add_scalar(coefficient)
        })
        * x
}

#[cfg(all(test, feature = "flex"))]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use burn::{backend::Flex, tensor::TensorData};

    #[test]
    fn erf_inv_inverts_erf() {
        let x = Tensor::<Flex, 1>::from_floats(
            [-0.68, -0.3, 0.0, 1e-3, 0.5, 0.68],
            &Default::default(),
        );
        let back = erf_inv(x.clone()).erf();
        // Giles states a relative error of 3e-7 in single precision.
        let error = (back - x).abs().max().into_scalar();
        assert!(error < 1e-6, "{error}");
    }

    #[test]
    fn weights_are_cut_at_one_deviation_and_fill_the_range() {
        let weight: Param<Tensor<Flex, 2>> =
            truncated_normal([200, 200], 0.02, &Default::default());
        let data: TensorData = weight.val().into_data();
        let values = data.to_vec::<f32>().unwrap();
        assert!(values.iter().all(|value| value.abs() <= 0.02 + 1e-6));
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / values.len() as f32;
        // The deviation of a normal distribution cut at one deviation is 0.5396 of the uncut one;
        // 40,000 draws put the estimate within 1 % of it.
        assert!(
            (variance.sqrt() / 0.02 - 0.5396).abs() < 0.01,
            "{}",
            variance.sqrt()
        );
        assert!(mean.abs() < 3e-4, "{mean}");
    }
}
