//! Sizes of CLIP's text encoder, as `config.json` of a model folder has them.

use mpm_core::{
    nn::clip::{Activation, ClipEncoderConfig},
    pretrained::part_of_config,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::end_of_text::EndOfText;
use crate::{
    LlmError,
    check::{check_eps, check_layers, check_sizes, require},
};

/// Architecture of CLIP's text encoder.
///
/// Names and defaults are those of `CLIPTextConfig` in `transformers`, because published
/// configurations leave out what equals its default; keys that are not listed here are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ClipTextConfig {
    /// Number of tokens of the vocabulary.
    pub vocab_size: usize,
    /// Width of a token; a multiple of `num_attention_heads`.
    pub hidden_size: usize,
    /// Width of the hidden layer of a feed-forward network.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads.
    pub num_attention_heads: usize,
    /// The most tokens of a text, its first and last included.
    pub max_position_embeddings: usize,
    /// Activation of the feed-forward networks.
    pub hidden_act: Activation,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// The token after a text. 2, which OpenAI's models were published with, is not that token:
    /// see [`end_of_text`](Self::end_of_text).
    pub eos_token_id: usize,
}

impl Default for ClipTextConfig {
    /// The text side of ViT-B/32, the default of `transformers`.
    fn default() -> Self {
        Self {
            vocab_size: 49_408,
            hidden_size: 512,
            intermediate_size: 2048,
            num_hidden_layers: 12,
            num_attention_heads: 8,
            max_position_embeddings: 77,
            hidden_act: Activation::QuickGelu,
            layer_norm_eps: 1e-5,
            eos_token_id: 49_407,
        }
    }
}

impl ClipTextConfig {
    /// The text side of OpenAI's ViT-L/14, which is the encoder of Stable Diffusion 1.
    pub fn vit_l14() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_attention_heads: 12,
            ..Self::default()
        }
    }

    /// The encoder of Stable Diffusion 2: that of OpenCLIP's ViT-H/14 without its last layer.
    pub fn stable_diffusion_2() -> Self {
        Self {
            hidden_size: 1024,
            intermediate_size: 4096,
            num_hidden_layers: 23,
            num_attention_heads: 16,
            hidden_act: Activation::Gelu,
            ..Self::default()
        }
    }

    /// A toy of two layers for tests and examples: 64 tokens, width 32, texts of 16 tokens.
    pub fn tiny() -> Self {
        Self {
            vocab_size: 64,
            hidden_size: 32,
            intermediate_size: 64,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            max_position_embeddings: 16,
            eos_token_id: 63,
            ..Self::default()
        }
    }

    /// Which token's state stands for a text: the first `eos_token_id`, but the largest id where
    /// that is 2. Files that say 2 are older than the key's use; `transformers` treats them so.
    pub fn end_of_text(&self) -> EndOfText {
        match self.eos_token_id {
            2 => EndOfText::Largest,
            token => EndOfText::Token(token),
        }
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

    /// Checks that a model of these sizes can exist. None has more than 2¹⁶ layers, and no other
    /// size is larger than 2²⁴.
    ///
    /// # Errors
    /// [`LlmError::Config`] names the first key that is out of its range.
    pub fn validate(&self) -> Result<(), LlmError> {
        check_sizes([
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_attention_heads", self.num_attention_heads),
            ("max_position_embeddings", self.max_position_embeddings),
        ])?;
        check_layers("num_hidden_layers", self.num_hidden_layers)?;
        check_eps("layer_norm_eps", self.layer_norm_eps)?;
        let (width, positions) = (self.hidden_size, self.max_position_embeddings);
        let divides = width.is_multiple_of(self.num_attention_heads);
        let multiple = "a multiple of num_attention_heads";
        require(divides, "hidden_size", width, multiple)?;
        // The first and the last token are none of the text's.
        let long = positions > 2;
        require(long, "max_position_embeddings", positions, "3 or more")?;
        let end = self.eos_token_id;
        require(
            end < self.vocab_size,
            "eos_token_id",
            end,
            "below vocab_size",
        )
    }
}

/// What `config.json` of a whole CLIP model says about its text side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct ClipTextTowerConfig {
    /// The text encoder.
    pub text_config: ClipTextConfig,
    /// Width of the embeddings in which pictures and texts are compared.
    pub projection_dim: usize,
}

impl ClipTextTowerConfig {
    /// Checks the encoder's sizes and the width.
    ///
    /// # Errors
    /// [`LlmError::Config`] names the first key that is out of its range.
    pub fn validate(&self) -> Result<(), LlmError> {
        self.text_config.validate()?;
        check_sizes([("projection_dim", self.projection_dim)])
    }
}

/// [`ClipTextTowerConfig::projection_dim`] where a file leaves it out.
const DEFAULT_PROJECTION_DIM: usize = 512;

impl TryFrom<Map<String, Value>> for ClipTextTowerConfig {
    type Error = serde_json::Error;

    fn try_from(file: Map<String, Value>) -> Result<Self, Self::Error> {
        Ok(Self {
            text_config: part_of_config(&file, "text_config")?,
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

    fn parse(json: Value) -> Result<ClipTextTowerConfig, String> {
        serde_json::from_value(json).map_err(|error| error.to_string())
    }

    #[test]
    fn published_configurations_are_understood() {
        let config = parse(json!({
            "architectures": ["CLIPModel"], "model_type": "clip", "projection_dim": 768,
            "text_config": {"bos_token_id": 0, "eos_token_id": 2, "hidden_act": "quick_gelu"},
            "text_config_dict": {
                "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12,
                "num_hidden_layers": 12, "projection_dim": 768
            },
            "vision_config": {"patch_size": 14}
        }))
        .unwrap();
        config.validate().unwrap();
        assert_eq!(config.projection_dim, 768);
        assert_eq!(config.text_config.end_of_text(), EndOfText::Largest);
        let expected = ClipTextConfig {
            eos_token_id: 2,
            ..ClipTextConfig::vit_l14()
        };
        assert_eq!(config.text_config, expected);

        let short = parse(json!({"text_config": {}})).unwrap();
        assert_eq!(short.text_config, ClipTextConfig::default());
        assert_eq!(short.projection_dim, 512);
        let end = short.text_config.end_of_text();
        assert_eq!(end, EndOfText::Token(49_407));
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let error = parse(json!({"vision_config": {}})).unwrap_err();
        assert!(error.contains("no `text_config`"), "{error}");
        let error = parse(json!({"text_config": {"hidden_act": "relu"}})).unwrap_err();
        assert!(error.contains("relu"), "{error}");

        let wrong_key = |json: Value| {
            let config: ClipTextConfig = serde_json::from_value(json).unwrap();
            match config.validate() {
                Err(LlmError::Config { key, .. }) => key,
                other => panic!("expected a configuration error, got {other:?}"),
            }
        };
        assert!(ClipTextConfig::tiny().validate().is_ok());
        assert!(ClipTextConfig::stable_diffusion_2().validate().is_ok());
        assert_eq!(
            wrong_key(json!({"num_hidden_layers": 0})),
            "num_hidden_layers"
        );
        assert_eq!(wrong_key(json!({"num_attention_heads": 7})), "hidden_size");
        for key in [
            "vocab_size",
            "hidden_size",
            "intermediate_size",
            "num_hidden_layers",
            "num_attention_heads",
            "max_position_embeddings",
        ] {
            assert_eq!(wrong_key(json!({key: 4e18 as u64})), key);
        }
        assert_eq!(wrong_key(json!({"layer_norm_eps": 0})), "layer_norm_eps");
        let short = json!({"max_position_embeddings": 2});
        assert_eq!(wrong_key(short), "max_position_embeddings");
        assert_eq!(wrong_key(json!({"vocab_size": 100})), "eos_token_id");
        for width in [0, 4e18 as u64] {
            let wrong = json!({"text_config": {}, "projection_dim": width});
            assert!(parse(wrong).unwrap().validate().is_err());
        }
    }
}
