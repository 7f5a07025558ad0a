//! The normal distribution that an encoded picture is.
//!
//! Source: diffusers' `DiagonalGaussianDistribution`; "Auto-Encoding Variational Bayes",
//! <https://arxiv.org/abs/1312.6114>.

use burn::tensor::{Tensor, backend::Backend};

/// Bounds of the logarithm of the variance.
const LOG_VARIANCES: (f64, f64) = (-30.0, 20.0);

/// A normal distribution for each value of the latents, all independent.
#[derive(Clone, Debug)]
pub struct LatentDistribution<B: Backend> {
    /// `[batch, latent_channels, height, width]`
    pub mean: Tensor<B, 4>,
    /// The logarithm of the variance, between -30 and 20;
    /// `[batch, latent_channels, height, width]`
    pub logvar: Tensor<B, 4>,
}

impl<B: Backend> LatentDistribution<B> {
    /// From what the encoder returns.
    ///
    /// # Shapes
    /// - moments: `[batch, 2 · latent_channels, height, width]`, the means first
    pub(super) fn new(moments: Tensor<B, 4>) -> Self {
        let channels = moments.dims()[1] / 2;
        let logvar = moments.clone().narrow(1, channels, channels);
        Self {
            mean: moments.narrow(1, 0, channels),
            logvar: logvar.clamp(LOG_VARIANCES.0, LOG_VARIANCES.1),
        }
    }

    /// The standard deviation, `[batch, latent_channels, height, width]`.
    pub fn std(&self) -> Tensor<B, 4> {
        self.logvar.clone().mul_scalar(0.5).exp()
    }

    /// A sample, made of standard normal noise of the same shape.
    pub fn sample(&self, noise: Tensor<B, 4>) -> Tensor<B, 4> {
        self.mean.clone() + self.std() * noise
    }

    /// The divergence from the standard normal distribution (Kullback-Leibler, in nats),
    /// summed over the values of each row.
    ///
    /// # Shapes
    /// - output: `[batch]`
    pub fn kl_divergence(&self) -> Tensor<B, 1> {
        let (mean, logvar) = (self.mean.clone(), self.logvar.clone());
        let each = mean.square() + logvar.clone().exp() - logvar.add_scalar(1.0);
        let sum: Tensor<B, 2> = each.flatten::<2>(1, 3).sum_dim(1);
        sum.squeeze_dim::<1>(1).mul_scalar(0.5)
    }
}
