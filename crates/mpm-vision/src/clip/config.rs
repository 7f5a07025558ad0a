//! Sizes of a CLIP vision transformer, as `config.json` of a model folder has them.

use mpm_core::{
    nn::clip::{Activation, ClipEncoderConfig},
    pretrained::part_of_config,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    VisionError,
    check::{check_eps, check_image_size, check_layers, check_sizes, require},
};

/// Architecture of a CLIP vision transformer.
///
/// Names and defaults are those of `CLIPVisionConfig` in `transformers`, because published
/// configurations leave out what equals its default; keys that are not listed here are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipVisionConfig {
    /// Width of a token; a multiple of `num_attention_heads`.
    pub hidden_size: usize,
    /// Width of the hidden layer of a feed-forward network.
    pub intermediate_size: usize,
    /// Number of encoder layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads.
    pub num_attention_heads: usize,
    /// Colour channels of the picture.
    pub num_channels: usize,
    /// Side of the square input picture in pixels; a multiple of `patch_size`, at most
    /// [`MAX_IMAGE_SIZE`](super::MAX_IMAGE_SIZE).
    pub image_size: usize,
    /// Side of a square patch in pixels.
    pub patch_size: usize,
    /// Activation of the feed-forward networks.
    pub hidden_act: Activation,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
}

impl Default for ClipVisionConfig {
    /// ViT-B/32, the default of `transformers`.
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 32,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
        }
    }
}

impl ClipVisionConfig {
    /// ViT-B/16 of Chinese-CLIP base, the reranker of VisCPM-Paint.
    pub fn vit_b16() -> Self {
        Self {
            patch_size: 16,
            ..Self::default()
        }
    }

    /// ViT-L/14, the encoder of Stable Diffusion's safety checker.
    pub fn vit_l14() -> Self {
        Self {
            hidden_size: 1024,
            intermediate_size: 4096,
            num_hidden_layers: 24,
            num_attention_heads: 16,
            patch_size: 14,
            ..Self::default()
        }
    }

    /// ViT-L/14 at 336 px, the encoder of LLaVA 1.5: 576 patches.
    pub fn vit_l14_336() -> Self {
        Self {
            image_size: 336,
            ..Self::vit_l14()
        }
    }

    /// A toy of two layers for tests and examples: 32 px, patch 8, width 32.
    pub fn tiny() -> Self {
        Self {
            hidden_size: 32,
            intermediate_size: 64,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            image_size: 32,
            patch_size: 8,
            ..Self::default()
        }
    }

    /// Tokens of a picture: one class token and one per patch.
    pub fn num_positions(&self) -> usize {
        1 + (self.image_size / self.patch_size).pow(2)
    }

    pub(super) fn encoder(&self) -> ClipEncoderConfig {
        ClipEncoderConfig {
            hidden_size: self.hidden_size,
            intermediate_size: self.intermediate_size,
            num_hidden_layers: self.num_hidden_layers,
            num_attention_heads: self.num_attention_heads,
            hidden_act: self.hidden_act,
            layer_norm_eps: self.layer_norm_eps,
        }
    }

    /// Checks what [`init`](Self::init) relies on. No model has more than 2¹⁶ layers, and no other
    /// size is larger than 2²⁴.
    ///
    /// # Errors
    /// [`VisionError::Config`] with the first field that is zero, that is larger than any model's,
    /// or that does not divide as it has to.
    pub fn validate(&self) -> Result<(), VisionError> {
        check_sizes([
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_attention_heads", self.num_attention_heads),
            ("num_channels", self.num_channels),
            ("patch_size", self.patch_size),
        ])?;
        check_layers("num_hidden_layers", self.num_hidden_layers)?;
        check_image_size(self.image_size, self.patch_size)?;
        check_eps("layer_norm_eps", self.layer_norm_eps)?;
        let (width, heads) = (self.hidden_size, self.num_attention_heads);
        require(width.is_multiple_of(heads), "hidden_size", width, || {
            format!("it must be a multiple of num_attention_heads {heads}")
        })
    }
}

/// What `config.json` of a whole CLIP model says about its picture side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct ClipConfig {
    /// The vision transformer.
    pub vision_config: ClipVisionConfig,
    /// Width of the embeddings in which pictures and texts are compared.
    pub projection_dim: usize,
}

impl ClipConfig {
    /// Checks the vision transformer's sizes and the width.
    ///
    /// # Errors
    /// [`VisionError::Config`] with the first field that is out of range.
    pub fn validate(&self) -> Result<(), VisionError> {
        self.vision_config.validate()?;
        check_sizes([("projection_dim", self.projection_dim)])
    }
}

/// [`ClipConfig::projection_dim`] where a file leaves it out.
const DEFAULT_PROJECTION_DIM: usize = 512;

impl TryFrom<Map<String, Value>> for ClipConfig {
    type Error = serde_json::Error;

    fn try_from(file: Map<String, Value>) -> Result<Self, Self::Error> {
        Ok(Self {
            vision_config: part_of_config(&file, "vision_config")?,
            projection_dim: match file.get("projection_dim") {
                Some(width) => serde_json::from_value(width.clone())?,
                None => DEFAULT_PROJECTION_DIM,
            },
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(json: Value) -> Result<ClipConfig, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn the_folder_of_a_safety_checker_is_understood() {
        let config = parse(json!({
            "architectures": ["StableDiffusionSafetyChecker"],
            "model_type": "clip",
            "projection_dim": 768,
            "text_config": {"hidden_size": 768},
            "vision_config": {
                "hidden_size": 768, "hidden_act": "quick_gelu", "patch_size": 14,
                "layer_norm_eps": 1e-5, "prefix": null, "dropout": 0.0
            },
            "vision_config_dict": {
                "hidden_size": 1024, "intermediate_size": 4096, "num_attention_heads": 16,
                "num_hidden_layers": 24, "patch_size": 14
            }
        }))
        .unwrap();
        assert_eq!(config.vision_config, ClipVisionConfig::vit_l14());
        assert_eq!(config.projection_dim, 768);
        assert_eq!(config.validate(), Ok(()));
    }

    #[test]
    fn what_is_left_out_has_the_default() {
        let config = parse(json!({"vision_config": {"patch_size": 16}})).unwrap();
        assert_eq!(config.vision_config, ClipVisionConfig::vit_b16());
        assert_eq!(config.projection_dim, 512);
        assert_eq!(config.vision_config.num_positions(), 197);
        let exact = parse(json!({"vision_config": {"hidden_act": "gelu"}})).unwrap();
        assert_eq!(exact.vision_config.hidden_act, Activation::Gelu);
    }

    #[test]
    fn what_is_no_clip_model_is_refused() {
        let error = parse(json!({"model_type": "bert"})).unwrap_err();
        assert!(error.contains("no `vision_config`"), "{error}");
        let error = parse(json!({"vision_config": {"hidden_act": "relu"}})).unwrap_err();
        assert!(
            error.contains("relu") && error.contains("quick_gelu"),
            "{error}"
        );
        let error = parse(json!({"vision_config": {"hidden_size": -1}})).unwrap_err();
        assert!(error.contains("-1"), "{error}");
    }

    #[test]
    fn invalid_fields_are_named() {
        let field_of = |config: ClipVisionConfig| match config.validate() {
            Err(VisionError::Config { field, .. }) => field,
            other => panic!("expected a configuration error, got {other:?}"),
        };
        let tiny = ClipVisionConfig::tiny;
        assert_eq!(tiny().validate(), Ok(()));
        let wide = ClipVisionConfig {
            hidden_size: 30,
            ..tiny()
        };
        assert_eq!(field_of(wide), "hidden_size");
        let patch = ClipVisionConfig {
            patch_size: 0,
            ..tiny()
        };
        assert_eq!(field_of(patch), "patch_size");
        let image = ClipVisionConfig {
            image_size: 33,
            ..tiny()
        };
        assert_eq!(field_of(image), "image_size");
        let huge = ClipVisionConfig {
            image_size: usize::MAX - 7,
            ..tiny()
        };
        assert_eq!(field_of(huge), "image_size");
        for eps in [0.0, f64::NAN] {
            let config = ClipVisionConfig {
                layer_norm_eps: eps,
                ..tiny()
            };
            assert_eq!(field_of(config), "layer_norm_eps");
        }
        for projection_dim in [0, usize::MAX] {
            let config = ClipConfig {
                vision_config: tiny(),
                projection_dim,
            };
            assert!(config.validate().is_err());
        }
    }

    #[test]
    fn absurd_sizes_are_refused_before_anything_is_made_of_them() {
        for field in [
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
            "num_channels",
            "image_size",
            "patch_size",
        ] {
            let file = json!({"vision_config": {field: 4e18 as u64}});
            match parse(file).unwrap().validate() {
                Err(VisionError::Config { field: found, .. }) => assert_eq!(found, field),
                other => panic!("{field}: {other:?}"),
            }
        }
    }
}
