//! Sizes of a SigLIP vision transformer, as `config.json` of a model folder has them.

use mpm_core::{
    nn::clip::{Activation, ClipEncoderConfig},
    pretrained::part_of_config,
};
use serde::{Deserialize, Serialize, de::Error as _};
use serde_json::{Map, Value};

use crate::{
    PositionResize, VisionError,
    check::{check_eps, check_holds_patch, check_layers, check_sizes, require},
};

/// Architecture of a SigLIP vision transformer.
///
/// Names and defaults are those of `SiglipVisionConfig` in `transformers`, because published
/// configurations leave out what equals its default; keys that are not listed here are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SiglipVisionConfig {
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
    /// Side of the square input picture in pixels, at least `patch_size` and at most
    /// [`MAX_IMAGE_SIZE`](crate::clip::MAX_IMAGE_SIZE). Of 384 px, patches of 14 px see 378.
    pub image_size: usize,
    /// Side of a square patch in pixels.
    pub patch_size: usize,
    /// Activation of the feed-forward networks.
    pub hidden_act: Activation,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// Whether there is a [`SiglipPoolingHead`](super::SiglipPoolingHead). Language models do
    /// without it.
    pub vision_use_head: bool,
    /// How positions are found for pictures of another size; not in published files.
    pub position_resize: PositionResize,
}

impl Default for SiglipVisionConfig {
    /// Base, patch 16, 224 px, the default of `transformers`.
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            num_channels: 3,
            image_size: 224,
            patch_size: 16,
            hidden_act: Activation::GeluTanh,
            layer_norm_eps: 1e-6,
            vision_use_head: true,
            position_resize: PositionResize::Bicubic,
        }
    }
}

impl SiglipVisionConfig {
    /// `google/siglip-so400m-patch14-384`: 27 layers of width 1152, 729 patches.
    pub fn so400m_patch14_384() -> Self {
        Self {
            hidden_size: 1152,
            intermediate_size: 4304,
            num_hidden_layers: 27,
            num_attention_heads: 16,
            image_size: 384,
            patch_size: 14,
            ..Self::default()
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

    /// The same without the head.
    #[must_use]
    pub fn without_head(self) -> Self {
        Self {
            vision_use_head: false,
            ..self
        }
    }

    /// Patches of a picture, each of which has a position.
    pub fn num_positions(&self) -> usize {
        (self.image_size / self.patch_size).pow(2)
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
        check_holds_patch(self.image_size, self.patch_size)?;
        check_eps("layer_norm_eps", self.layer_norm_eps)?;
        let (width, heads) = (self.hidden_size, self.num_attention_heads);
        require(width.is_multiple_of(heads), "hidden_size", width, || {
            format!("it must be a multiple of num_attention_heads {heads}")
        })
    }
}

/// What `config.json` says about the picture side, of a whole SigLIP model or of that side alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct SiglipConfig {
    /// The vision transformer.
    pub vision_config: SiglipVisionConfig,
}

impl TryFrom<Map<String, Value>> for SiglipConfig {
    type Error = serde_json::Error;

    fn try_from(file: Map<String, Value>) -> Result<Self, Self::Error> {
        let model_type = file.get("model_type").and_then(Value::as_str);
        let vision_config = match model_type {
            // Its patches are projected from flat rows, and its positions resized per picture.
            Some(kind) if kind.starts_with("siglip2") => {
                return Err(serde_json::Error::custom(format!(
                    "the model type is `{kind}`, which takes pictures of any shape (NaFlex); take \
                     a SigLIP 2 model of a fixed picture size, whose type is `siglip`"
                )));
            }
            Some("siglip_vision_model") => serde_json::from_value(Value::Object(file))?,
            _ => part_of_config(&file, "vision_config")?,
        };
        Ok(Self { vision_config })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn parse(json: Value) -> Result<SiglipVisionConfig, String> {
        serde_json::from_value(json)
            .map(|config: SiglipConfig| config.vision_config)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn both_kinds_of_folder_are_understood() {
        let sizes = json!({
            "hidden_size": 1152, "image_size": 384, "intermediate_size": 4304,
            "model_type": "siglip_vision_model", "num_attention_heads": 16,
            "num_hidden_layers": 27, "patch_size": 14
        });
        let expected = SiglipVisionConfig::so400m_patch14_384();
        assert_eq!(parse(sizes.clone()), Ok(expected.clone()));
        let whole = json!({"model_type": "siglip", "text_config": {}, "vision_config": sizes});
        assert_eq!(parse(whole), Ok(expected.clone()));
        assert_eq!(expected.validate(), Ok(()));
        assert_eq!(expected.num_positions(), 729);
    }

    #[test]
    fn what_cannot_be_used_is_refused() {
        let error = parse(json!({"model_type": "siglip2", "vision_config": {}})).unwrap_err();
        assert!(error.contains("fixed picture size"), "{error}");
        let error = parse(json!({"model_type": "bert"})).unwrap_err();
        assert!(error.contains("no `vision_config`"), "{error}");
        let error = parse(json!({"vision_config": {"hidden_act": "relu"}})).unwrap_err();
        assert!(error.contains("gelu_pytorch_tanh"), "{error}");
    }

    #[test]
    fn invalid_fields_are_named() {
        let base = json!(SiglipVisionConfig::tiny());
        for (field, value) in [
            ("hidden_size", json!(30)),
            ("hidden_size", json!(4e18 as u64)),
            ("intermediate_size", json!(0)),
            ("num_hidden_layers", json!(0)),
            ("num_attention_heads", json!(0)),
            ("num_channels", json!(0)),
            ("image_size", json!(7)),
            ("image_size", json!(4e18 as u64)),
            ("patch_size", json!(0)),
            ("layer_norm_eps", json!(0.0)),
        ] {
            let mut config = base.clone();
            config[field] = value;
            let config: SiglipVisionConfig = serde_json::from_value(config).unwrap();
            match config.validate() {
                Err(VisionError::Config { field: found, .. }) => assert_eq!(found, field),
                other => panic!("{field}: {other:?}"),
            }
        }
    }
}
