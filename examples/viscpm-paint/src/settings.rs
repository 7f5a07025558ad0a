//! What decides about a picture beside the weights.

use mpm_diffusion::schedule::{Convention, NoiseScheduleConfig};

use crate::{PaintDefaults, PaintRequest};

/// What a model's configuration says about its pictures, whichever model it is.
#[derive(Clone, Debug)]
pub struct PaintSettings {
    /// Pixels of a latent pixel, along a side.
    pub downsampling: usize,
    /// The noise that the UNet was trained with.
    pub scheduler: NoiseScheduleConfig,
    /// How samplers place their steps.
    pub convention: Convention,
    /// What is painted unless something else is asked for.
    pub defaults: PaintDefaults,
}

impl PaintSettings {
    /// What is painted unless something else is asked for.
    pub fn default_request(&self, seed: u64) -> PaintRequest {
        self.defaults.request(seed)
    }
}
