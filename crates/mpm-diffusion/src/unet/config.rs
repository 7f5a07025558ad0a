//! Sizes of a UNet, as diffusers' `unet/config.json` gives them.

use serde::{Deserialize, Serialize};

use crate::{
    DiffusionError,
    sizes::{check_layers, check_levels, check_sizes, downsampling},
};

/// What a level of the way down is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DownBlockType {
    /// Residual blocks, each followed by a transformer that reads the text.
    CrossAttnDownBlock2D,
    /// Residual blocks only.
    DownBlock2D,
}

/// What a level of the way up is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpBlockType {
    /// Residual blocks, each followed by a transformer that reads the text.
    CrossAttnUpBlock2D,
    /// Residual blocks only.
    UpBlock2D,
}

/// One number for all levels, or one for each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerLevel {
    /// The same for all.
    Same(usize),
    /// From the finest level to the coarsest.
    Each(Vec<usize>),
}

impl PerLevel {
    fn at(&self, level: usize) -> Option<usize> {
        match self {
            Self::Same(value) => Some(*value),
            Self::Each(values) => values.get(level).copied(),
        }
    }
}

/// Sizes of a [`UNet2DConditionModel`](super::UNet2DConditionModel).
///
/// The names are those of diffusers' `config.json`, which deserialises into this type. Keys
/// that are absent take the values of Stable Diffusion 2.1, unless their fields say otherwise; keys that are not listed here are
/// ignored, but for those that would change the model ([`validate`](Self::validate) refuses
/// them).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct UNetConfig {
    /// Side in latent pixels of the pictures that the model was made for. Others work, too.
    pub sample_size: usize,
    /// Channels of the latents.
    pub in_channels: usize,
    /// Channels of the prediction.
    pub out_channels: usize,
    /// The levels of the way down, from the finest to the coarsest.
    pub down_block_types: Vec<DownBlockType>,
    /// The levels of the way up, from the coarsest to the finest.
    pub up_block_types: Vec<UpBlockType>,
    /// Channels of each level, from the finest to the coarsest.
    pub block_out_channels: Vec<usize>,
    /// Residual blocks of a level on the way down; the way up has one more.
    pub layers_per_block: usize,
    /// Groups of the group norms; divides all channels.
    pub norm_num_groups: usize,
    /// Added to the variance in the group norms of residual blocks.
    pub norm_eps: f64,
    /// Width of the text's states.
    pub cross_attention_dim: usize,
    /// The NUMBER of attention heads of each level; diffusers keeps this misnomer for the sake
    /// of its files.
    pub attention_head_dim: PerLevel,
    /// Whether transformers project their input by linear layers (Stable Diffusion 2) or by
    /// 1 × 1 convolutions (1.5), which an absent key means. It only changes the shape of the
    /// weights.
    #[serde(default)]
    pub use_linear_projection: bool,
    /// Transformer blocks of each transformer.
    pub transformer_layers_per_block: usize,
    /// What follows the embedding's cosine: `true` puts it first, then the sine.
    pub flip_sin_to_cos: bool,
    /// Subtracted from the number of frequencies in the embedding of the time.
    pub freq_shift: usize,
    /// The activation. Only `silu` exists.
    pub act_fn: String,
    /// Refused unless false.
    #[serde(skip_serializing_if = "is_false")]
    pub center_input_sample: bool,
    /// Refused unless false.
    #[serde(skip_serializing_if = "is_false")]
    pub only_cross_attention: bool,
    /// Refused unless false.
    #[serde(skip_serializing_if = "is_false")]
    pub dual_cross_attention: bool,
    /// Refused unless null: classes instead of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_class_embeds: Option<usize>,
    /// Refused unless 1: the padding of the convolutions that halve the size.
    #[serde(skip_serializing_if = "is_one")]
    pub downsample_padding: usize,
    /// Refused unless 1: what outputs in the middle are divided by.
    #[serde(skip_serializing_if = "is_one")]
    pub mid_block_scale_factor: f64,
    /// Refused unless 1: what outputs of the other residual blocks are divided by.
    #[serde(skip_serializing_if = "is_one")]
    pub resnet_out_scale_factor: f64,
    /// Refused unless false: residual blocks that take the embedding of time as it is.
    #[serde(skip_serializing_if = "is_false")]
    pub resnet_skip_time_act: bool,
    /// Refused unless null: an activation behind the embedding of time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_embedding_act_fn: Option<String>,
    /// Refused unless null: the same, by another key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestep_post_act: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_false(value: &bool) -> bool {
    !value
}

fn is_one<T: PartialEq + From<u8>>(value: &T) -> bool {
    *value == T::from(1)
}

impl Default for UNetConfig {
    fn default() -> Self {
        Self::stable_diffusion_2_1()
    }
}

impl UNetConfig {
    /// Stable Diffusion 2.1 base: 866 million parameters, the UNet of VisCPM-Paint.
    pub fn stable_diffusion_2_1() -> Self {
        use {DownBlockType as Down, UpBlockType as Up};
        Self {
            sample_size: 64,
            in_channels: 4,
            out_channels: 4,
            down_block_types: vec![
                Down::CrossAttnDownBlock2D,
                Down::CrossAttnDownBlock2D,
                Down::CrossAttnDownBlock2D,
                Down::DownBlock2D,
            ],
            up_block_types: vec![
                Up::UpBlock2D,
                Up::CrossAttnUpBlock2D,
                Up::CrossAttnUpBlock2D,
                Up::CrossAttnUpBlock2D,
            ],
            block_out_channels: vec![320, 640, 1280, 1280],
            layers_per_block: 2,
            norm_num_groups: 32,
            norm_eps: 1e-5,
            cross_attention_dim: 1024,
            attention_head_dim: PerLevel::Each(vec![5, 10, 20, 20]),
            use_linear_projection: true,
            transformer_layers_per_block: 1,
            flip_sin_to_cos: true,
            freq_shift: 0,
            act_fn: "silu".to_owned(),
            center_input_sample: false,
            only_cross_attention: false,
            dual_cross_attention: false,
            num_class_embeds: None,
            downsample_padding: 1,
            mid_block_scale_factor: 1.0,
            resnet_out_scale_factor: 1.0,
            resnet_skip_time_act: false,
            time_embedding_act_fn: None,
            timestep_post_act: None,
        }
    }

    /// Stable Diffusion 1.5: 860 million parameters.
    pub fn stable_diffusion_1_5() -> Self {
        Self {
            cross_attention_dim: 768,
            attention_head_dim: PerLevel::Same(8),
            use_linear_projection: false,
            ..Self::stable_diffusion_2_1()
        }
    }

    /// A model of two levels that trains on a laptop, for latents of 16 × 16.
    pub fn tiny() -> Self {
        Self {
            sample_size: 16,
            down_block_types: vec![
                DownBlockType::CrossAttnDownBlock2D,
                DownBlockType::CrossAttnDownBlock2D,
            ],
            up_block_types: vec![
                UpBlockType::CrossAttnUpBlock2D,
                UpBlockType::CrossAttnUpBlock2D,
            ],
            block_out_channels: vec![64, 128],
            layers_per_block: 1,
            norm_num_groups: 16,
            cross_attention_dim: 128,
            attention_head_dim: PerLevel::Each(vec![2, 4]),
            ..Self::stable_diffusion_2_1()
        }
    }

    /// Number of attention heads of a level, counted from the finest.
    pub fn heads(&self, level: usize) -> usize {
        self.attention_head_dim.at(level).unwrap_or(0)
    }

    /// By how much the latents shrink on the way down: `2^(levels - 1)`.
    pub fn downsampling(&self) -> usize {
        downsampling(self.block_out_channels.len())
    }

    /// Checks that the sizes fit together. No model has more than 16 levels or 64 layers in a level,
    /// and no other size is larger than 2²⁴.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] names the field and what it has to satisfy.
    pub fn validate(&self) -> Result<(), DiffusionError> {
        const PART: &str = "UNet";
        let wrong = |reason: String| Err(DiffusionError::config(PART, reason));
        let levels = self.block_out_channels.len();
        for (field, count) in [
            ("down_block_types", self.down_block_types.len()),
            ("up_block_types", self.up_block_types.len()),
        ] {
            if count != levels || levels == 0 {
                return wrong(format!(
                    "`{field}` has {count} entries and `block_out_channels` {levels}; both need \
                     one for each level, and there must be a level"
                ));
            }
        }
        let sizes = [
            ("sample_size", self.sample_size),
            ("in_channels", self.in_channels),
            ("out_channels", self.out_channels),
            ("norm_num_groups", self.norm_num_groups),
            ("cross_attention_dim", self.cross_attention_dim),
        ];
        check_sizes(PART, sizes)?;
        check_layers(PART, "layers_per_block", self.layers_per_block)?;
        check_layers(
            PART,
            "transformer_layers_per_block",
            self.transformer_layers_per_block,
        )?;
        check_levels(PART, &self.block_out_channels, self.norm_num_groups)?;
        for (level, &channels) in self.block_out_channels.iter().enumerate() {
            let heads = self.heads(level);
            if heads == 0 || !channels.is_multiple_of(heads) {
                return wrong(format!(
                    "level {level} has {channels} channels and {heads} attention heads \
                     (`attention_head_dim`, which means their number); the heads must divide the \
                     channels"
                ));
            }
        }
        if !self.block_out_channels[0].is_multiple_of(2) {
            return wrong("`block_out_channels[0]` must be even, for the embedding of time".into());
        }
        if self.block_out_channels[0] / 2 <= self.freq_shift {
            return wrong("`freq_shift` leaves no frequency to embed time with".into());
        }
        if self.act_fn != "silu" {
            return wrong(format!(
                "`act_fn` is {:?}; only \"silu\" exists",
                self.act_fn
            ));
        }
        for (field, value) in [
            ("downsample_padding", self.downsample_padding as f64),
            ("mid_block_scale_factor", self.mid_block_scale_factor),
            ("resnet_out_scale_factor", self.resnet_out_scale_factor),
        ] {
            if value != 1.0 {
                return wrong(format!("`{field}` is {value}; only 1 exists"));
            }
        }
        for (field, is_set) in [
            ("center_input_sample", self.center_input_sample),
            ("only_cross_attention", self.only_cross_attention),
            ("dual_cross_attention", self.dual_cross_attention),
            ("num_class_embeds", self.num_class_embeds.is_some()),
            ("resnet_skip_time_act", self.resnet_skip_time_act),
            (
                "time_embedding_act_fn",
                self.time_embedding_act_fn.is_some(),
            ),
            ("timestep_post_act", self.timestep_post_act.is_some()),
        ] {
            if is_set {
                return wrong(format!("`{field}` is set, which this UNet does not have"));
            }
        }
        Ok(())
    }
}
