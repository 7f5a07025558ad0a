//! Configurations of the picture encoders and their published sizes.

use burn::config::Config;

use crate::{
    VisionError,
    check::{check_eps, check_image_size, check_layers, check_sizes, require},
    embedding::POSITION_OFFSET,
};

/// Architecture of a BEiT-3 encoder.
///
/// The presets follow `_get_base_config` and `_get_large_config` of VisCPM's
/// `models/beit3.py`; everything not listed here is fixed as it is there:
/// multiway experts, sub-layernorm, exact GELU, an output norm, no scaling of
/// embeddings and no relative positions.
#[derive(Config, Debug, PartialEq)]
pub struct Beit3Config {
    /// Side of the square input picture in pixels; a multiple of `patch_size`, at most
    /// [`MAX_IMAGE_SIZE`](crate::clip::MAX_IMAGE_SIZE).
    #[config(default = 224)]
    pub image_size: usize,
    /// Side of a square patch in pixels.
    #[config(default = 16)]
    pub patch_size: usize,
    /// Colour channels of the picture.
    #[config(default = 3)]
    pub in_channels: usize,
    /// Width of a token; a multiple of `num_heads`.
    pub d_model: usize,
    /// Width of the hidden layer of a feed-forward network.
    pub d_ff: usize,
    /// Number of attention heads.
    pub num_heads: usize,
    /// Number of encoder layers.
    pub num_layers: usize,
    /// Rows of the position table of branch B (`max_source_positions` in
    /// torchscale). Positions start at 2, so it serves two queries less.
    #[config(default = 1024)]
    pub max_positions: usize,
    /// Added to the variance in every layer norm.
    #[config(default = 1e-5)]
    pub layer_norm_eps: f64,
    /// Output channels of the blocks of a [`ConvStem`](crate::ConvStem) before the
    /// projection of patches, each of which halves the picture's side; empty for
    /// BEiT-3 as published. A stem lets small encoders learn from few pictures.
    #[config(default = "Vec::new()")]
    pub stem_channels: Vec<usize>,
    /// Standard deviation of fresh weights before they are cut at one deviation.
    /// BEiT-3's 0.02 suits widths around 1000; small widths need more.
    #[config(default = 0.02)]
    pub init_std: f64,
}

impl Beit3Config {
    /// BEiT-3 base, patch 16, 224 px: 12 layers of width 768.
    pub fn base() -> Self {
        Self::new(768, 3072, 12, 12)
    }

    /// BEiT-3 large, patch 16, 224 px: 24 layers of width 1024, the encoder of VisCPM.
    pub fn large() -> Self {
        Self::new(1024, 4096, 16, 24)
    }

    /// A toy of two layers for tests and examples: 32 px, patch 8, width 32.
    pub fn tiny() -> Self {
        Self::new(32, 64, 4, 2)
            .with_image_size(32)
            .with_patch_size(8)
            .with_max_positions(32)
    }

    /// Side in pixels of what the stem makes one pixel of.
    pub fn stem_stride(&self) -> usize {
        1 << self.stem_channels.len()
    }

    /// Channels of what the stem makes of a picture: the picture's own without one.
    pub fn stem_out_channels(&self) -> usize {
        *self.stem_channels.last().unwrap_or(&self.in_channels)
    }

    /// Patches along a side of the picture.
    pub fn grid_size(&self) -> usize {
        self.image_size / self.patch_size
    }

    /// Tokens of a picture: one class token and one per patch.
    pub fn num_picture_tokens(&self) -> usize {
        1 + self.grid_size() * self.grid_size()
    }

    /// The largest number of queries that have a position.
    pub fn max_queries(&self) -> usize {
        self.max_positions.saturating_sub(POSITION_OFFSET)
    }

    /// Checks what [`init`](crate::Beit3) relies on. No model has more than 2¹⁶
    /// layers, and no other size is larger than 2²⁴.
    ///
    /// # Errors
    /// [`VisionError::Config`] with the first field that is zero, that is larger
    /// than any model's, or that does not divide as it has to.
    pub fn validate(&self) -> Result<(), VisionError> {
        check_sizes([
            ("patch_size", self.patch_size),
            ("in_channels", self.in_channels),
            ("d_model", self.d_model),
            ("d_ff", self.d_ff),
            ("num_heads", self.num_heads),
            ("max_positions", self.max_positions),
        ])?;
        check_layers("num_layers", self.num_layers)?;
        check_image_size(self.image_size, self.patch_size)?;
        check_eps("layer_norm_eps", self.layer_norm_eps)?;
        let possible = self.init_std >= 0.0 && self.init_std.is_finite();
        require(possible, "init_std", self.init_std, || {
            "it must be a finite number, at least 0".to_owned()
        })?;
        for &channels in &self.stem_channels {
            check_sizes([("stem_channels", channels)])?;
        }
        let blocks = self.stem_channels.len();
        require(
            blocks < 16 && self.patch_size.is_multiple_of(self.stem_stride()),
            "patch_size",
            self.patch_size,
            || format!("each of the {blocks} blocks of the stem must halve it"),
        )?;
        require(
            self.d_model.is_multiple_of(self.num_heads),
            "d_model",
            self.d_model,
            || format!("it must be a multiple of num_heads {}", self.num_heads),
        )?;
        require(
            self.max_positions > POSITION_OFFSET,
            "max_positions",
            self.max_positions,
            || format!("positions start at {POSITION_OFFSET}, so it must be larger"),
        )
    }
}

/// Architecture of the Muffin visual module: an encoder, its queries and the
/// mapping to the width of a language model.
#[derive(Config, Debug, PartialEq)]
pub struct MuffinConfig {
    /// The picture encoder.
    pub encoder: Beit3Config,
    /// Number of learned queries, which is the number of features per picture.
    #[config(default = 64)]
    pub num_queries: usize,
    /// Width of the language model's embeddings.
    pub d_llm: usize,
    /// Width between the two layers of the mapping; `None` for `d_llm`, as in VisCPM.
    /// A narrow language model needs more to tell many things apart.
    #[config(default = "None")]
    pub mapping_width: Option<usize>,
}

impl MuffinConfig {
    /// The visual module of VisCPM-Chat: BEiT-3 large, 64 queries, width 4096.
    pub fn viscpm_chat() -> Self {
        Self::new(Beit3Config::large(), 4096)
    }

    /// A toy around [`Beit3Config::tiny`]: 4 queries, mapped to width 48.
    pub fn tiny() -> Self {
        Self::new(Beit3Config::tiny(), 48).with_num_queries(4)
    }

    /// Checks the encoder's configuration, the number of queries and the width.
    ///
    /// # Errors
    /// [`VisionError::Config`] with the first field that is out of range.
    pub fn validate(&self) -> Result<(), VisionError> {
        self.encoder.validate()?;
        let max_queries = self.encoder.max_queries();
        require(
            (1..=max_queries).contains(&self.num_queries),
            "num_queries",
            self.num_queries,
            || format!("the encoder's position table takes 1 to {max_queries}"),
        )?;
        let mapping_width = self.mapping_width.unwrap_or(self.d_llm);
        check_sizes([("d_llm", self.d_llm), ("mapping_width", mapping_width)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn presets_are_valid_and_have_the_published_token_count() {
        for config in [Beit3Config::base(), Beit3Config::large()] {
            assert_eq!(config.validate(), Ok(()));
            assert_eq!(config.num_picture_tokens(), 197);
        }
        assert_eq!(MuffinConfig::viscpm_chat().validate(), Ok(()));
        assert_eq!(MuffinConfig::tiny().validate(), Ok(()));
    }

    #[test]
    fn invalid_fields_are_named() {
        let field_of = |config: Beit3Config| match config.validate() {
            Err(VisionError::Config { field, .. }) => field,
            other => panic!("expected a configuration error, got {other:?}"),
        };
        assert_eq!(
            field_of(Beit3Config::tiny().with_patch_size(0)),
            "patch_size"
        );
        assert_eq!(
            field_of(Beit3Config::tiny().with_image_size(33)),
            "image_size"
        );
        assert_eq!(
            field_of(Beit3Config::tiny().with_max_positions(2)),
            "max_positions"
        );
        let stem = |channels: &[usize]| Beit3Config::tiny().with_stem_channels(channels.to_vec());
        assert_eq!(stem(&[4, 8, 8]).validate(), Ok(()));
        assert_eq!(field_of(stem(&[4, 8, 8, 8])), "patch_size");
        assert_eq!(field_of(stem(&[4, 0])), "stem_channels");
        assert_eq!(field_of(Beit3Config::new(30, 64, 4, 2)), "d_model");
        assert_eq!(field_of(Beit3Config::new(32, 64, 4, 0)), "num_layers");
        for eps in [0.0, -1e-5, f64::NAN, f64::INFINITY] {
            let config = Beit3Config::tiny().with_layer_norm_eps(eps);
            assert_eq!(field_of(config), "layer_norm_eps");
        }
        for std in [-0.02, f64::NAN, f64::INFINITY] {
            let config = Beit3Config::tiny().with_init_std(std);
            assert_eq!(field_of(config), "init_std");
        }
    }

    #[test]
    fn absurd_sizes_are_refused_before_anything_is_made_of_them() {
        const HUGE: usize = 1 << 62;
        let tiny = Beit3Config::tiny;
        let with = |change: fn(&mut Beit3Config)| {
            let mut config = tiny();
            change(&mut config);
            config
        };
        let cases = [
            ("image_size", tiny().with_image_size(HUGE)),
            ("patch_size", tiny().with_patch_size(HUGE)),
            ("in_channels", tiny().with_in_channels(HUGE)),
            ("d_model", with(|config| config.d_model = HUGE)),
            ("d_ff", with(|config| config.d_ff = HUGE)),
            ("num_heads", with(|config| config.num_heads = HUGE)),
            ("num_layers", with(|config| config.num_layers = HUGE)),
            ("max_positions", tiny().with_max_positions(HUGE)),
            ("stem_channels", tiny().with_stem_channels(vec![HUGE])),
        ];
        for (expected, config) in cases {
            match config.validate() {
                Err(VisionError::Config { field, .. }) => assert_eq!(field, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
        let wide = |d_llm, mapping_width| MuffinConfig {
            d_llm,
            mapping_width,
            ..MuffinConfig::tiny()
        };
        assert!(wide(HUGE, None).validate().is_err());
        assert!(wide(48, Some(HUGE)).validate().is_err());
    }

    #[test]
    fn queries_must_have_positions() {
        let config = MuffinConfig::tiny();
        assert!(config.clone().with_num_queries(30).validate().is_ok());
        for num_queries in [0, 31] {
            let message = config
                .clone()
                .with_num_queries(num_queries)
                .validate()
                .map_err(|error| error.to_string());
            assert_eq!(
                message,
                Err(format!(
                    "invalid picture encoder configuration: num_queries is {num_queries}, but the \
                     encoder's position table takes 1 to 30"
                ))
            );
        }
    }
}
