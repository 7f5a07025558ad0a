//! How much of a sample is picture and how much is noise.

/// A sample `signal · x₀ + noise · ε` whose variance is kept: `signal² + noise² = 1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseLevel {
    /// The factor of the clean sample, `√ᾱ`.
    pub signal: f64,
    /// The factor of the noise, `√(1 − ᾱ)`.
    pub noise: f64,
}

impl NoiseLevel {
    /// No noise at all.
    pub const CLEAN: Self = Self {
        signal: 1.0,
        noise: 0.0,
    };

    /// The level whose share of the picture in the variance is `alpha_cumprod`, 0 to 1.
    pub fn from_alpha_cumprod(alpha_cumprod: f64) -> Self {
        Self {
            signal: alpha_cumprod.sqrt(),
            noise: (1.0 - alpha_cumprod).sqrt(),
        }
    }

    /// The level with `sigma` times as much noise as signal.
    pub fn from_sigma(sigma: f64) -> Self {
        let signal = 1.0 / sigma.hypot(1.0);
        Self {
            signal,
            noise: sigma * signal,
        }
    }

    /// Noise over signal, the `σ` of k-diffusion and of Karras et al.
    pub fn sigma(self) -> f64 {
        self.noise / self.signal
    }

    /// The share of the picture in the variance, `ᾱ`.
    pub fn alpha_cumprod(self) -> f64 {
        self.signal * self.signal
    }

    /// The share of the noise in the variance, `1 − ᾱ`.
    pub(super) fn noise_variance(self) -> f64 {
        self.noise * self.noise
    }
}
