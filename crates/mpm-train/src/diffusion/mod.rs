//! Training of VisCPM-Paint: the diffusion loss, the autoencoder's, and what trains.

mod autoencoder;
mod loss;
mod resolution;

pub use autoencoder::AutoencoderLossConfig;
pub use loss::{DiffusionLoss, DiffusionLossConfig, DiffusionNoise};
pub use resolution::{Resolution, ResolutionSchedule};

use crate::pattern::PathPattern;

/// What trains of a [`LatentDiffusion`](mpm_diffusion::LatentDiffusion).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DiffusionParts {
    /// The trans block and the UNet's attention to the text: the paper's choice for a
    /// pretrained UNet, which already knows pictures (section 3.4).
    #[default]
    CrossAttention,
    /// Everything: for training from scratch.
    All,
}

impl DiffusionParts {
    /// The patterns for [`train_only`](crate::freeze::train_only).
    pub fn patterns(self) -> Vec<PathPattern> {
        let patterns: &[&str] = match self {
            Self::CrossAttention => &["trans_block", "unet.**.attn2"],
            Self::All => &["trans_block", "unet"],
        };
        let patterns = patterns.iter().copied();
        patterns.map(PathPattern::new).collect()
    }
}
