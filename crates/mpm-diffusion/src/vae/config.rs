//! Sizes of an autoencoder, as diffusers' `vae/config.json` gives them.

use serde::{Deserialize, Serialize};

use crate::{
    DiffusionError,
    sizes::{check_layers, check_levels, check_sizes, downsampling},
};

/// Sizes of an [`AutoencoderKl`](super::AutoencoderKl).
///
/// The names are those of diffusers' `config.json`, which deserialises into this type. Keys
/// that are absent take the values of Stable Diffusion; keys that are not listed here are
/// ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct VaeConfig {
    /// Channels of the pictures.
    pub in_channels: usize,
    /// Channels of the decoded pictures.
    pub out_channels: usize,
    /// Channels of the latents.
    pub latent_channels: usize,
    /// Channels of each level, from the finest to the coarsest; each level but the last halves
    /// the picture.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks of a level of the encoder; the decoder has one more.
    pub layers_per_block: usize,
    /// Groups of the group norms; divides all channels.
    pub norm_num_groups: usize,
    /// Latents are multiplied by it for the UNet, so that their deviation is about 1.
    pub scaling_factor: f64,
    /// Subtracted from latents before they are scaled. Stable Diffusion has none.
    pub shift_factor: Option<f64>,
    /// The activation. Only `silu` exists.
    pub act_fn: String,
    /// The levels of the encoder, for the sake of the files: only `DownEncoderBlock2D` exists.
    /// Empty: as many as `block_out_channels`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub down_block_types: Vec<String>,
    /// The levels of the decoder: only `UpDecoderBlock2D` exists. Empty: as many as
    /// `block_out_channels`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub up_block_types: Vec<String>,
}

impl Default for VaeConfig {
    fn default() -> Self {
        Self::stable_diffusion()
    }
}

impl VaeConfig {
    /// The autoencoder of Stable Diffusion 1 and 2: a latent pixel for 8 × 8 pixels.
    pub fn stable_diffusion() -> Self {
        Self {
            in_channels: 3,
            out_channels: 3,
            latent_channels: 4,
            block_out_channels: vec![128, 256, 512, 512],
            layers_per_block: 2,
            norm_num_groups: 32,
            scaling_factor: 0.18215,
            shift_factor: None,
            act_fn: "silu".to_owned(),
            down_block_types: Vec::new(),
            up_block_types: Vec::new(),
        }
    }

    /// An autoencoder that trains on a laptop: a latent pixel for 4 × 4 pixels.
    pub fn tiny() -> Self {
        Self {
            block_out_channels: vec![32, 64, 64],
            layers_per_block: 1,
            norm_num_groups: 16,
            ..Self::stable_diffusion()
        }
    }

    /// Pixels per latent pixel, along a side: `2^(levels - 1)`.
    pub fn downsampling(&self) -> usize {
        downsampling(self.block_out_channels.len())
    }

    /// Checks that the sizes fit together. No model has more than 16 levels or 64 layers in a level,
    /// and no other size is larger than 2²⁴.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] names the field and what it has to satisfy.
    pub fn validate(&self) -> Result<(), DiffusionError> {
        const PART: &str = "autoencoder";
        let wrong = |reason: String| Err(DiffusionError::config(PART, reason));
        let sizes = [
            ("in_channels", self.in_channels),
            ("out_channels", self.out_channels),
            ("latent_channels", self.latent_channels),
            ("norm_num_groups", self.norm_num_groups),
        ];
        check_sizes(PART, sizes)?;
        check_layers(PART, "layers_per_block", self.layers_per_block)?;
        check_levels(PART, &self.block_out_channels, self.norm_num_groups)?;
        if !(self.scaling_factor.is_finite() && self.scaling_factor != 0.0) {
            return wrong(format!(
                "`scaling_factor` is {}, but must be a number other than 0",
                self.scaling_factor
            ));
        }
        if self.act_fn != "silu" {
            return wrong(format!(
                "`act_fn` is {:?}; only \"silu\" exists",
                self.act_fn
            ));
        }
        for (field, types, only) in [
            (
                "down_block_types",
                &self.down_block_types,
                "DownEncoderBlock2D",
            ),
            ("up_block_types", &self.up_block_types, "UpDecoderBlock2D"),
        ] {
            if types.is_empty() {
                continue;
            }
            if types.len() != self.block_out_channels.len() {
                return wrong(format!(
                    "`{field}` has {} entries and `block_out_channels` {}; both need one for \
                     each level",
                    types.len(),
                    self.block_out_channels.len()
                ));
            }
            if let Some(other) = types.iter().find(|&name| name != only) {
                return wrong(format!("`{field}` holds {other:?}; only {only:?} exists"));
            }
        }
        Ok(())
    }
}
