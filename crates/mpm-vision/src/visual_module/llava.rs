//! The picture side of LLaVA models as `transformers` publishes them.

use std::path::Path;

use burn::tensor::backend::Backend;
use mpm_core::{
    nn::clip::Activation,
    pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder},
    weights::{LoadOptions, load},
};
use serde::{Deserialize, de::Error as _};
use serde_json::Value;

use super::{ConnectorConfig, EncoderConfig, VisualModule, VisualModuleConfig, llava_keys};
use crate::{
    FeatureSelection, SelectStrategy, clip::ClipVisionConfig, connector::MlpConnectorConfig,
    siglip::SiglipVisionConfig,
};

/// `config.json`, with the defaults of `LlavaConfig`: published files leave out what equals them.
#[derive(Deserialize)]
struct LlavaConfig {
    model_type: Option<String>,
    vision_config: VisionConfig,
    #[serde(default)]
    text_config: TextConfig,
    #[serde(default = "last_but_one")]
    vision_feature_layer: i64,
    #[serde(default)]
    vision_feature_select_strategy: SelectStrategy,
    #[serde(default = "gelu")]
    projector_hidden_act: Activation,
    #[serde(default = "yes")]
    multimodal_projector_bias: bool,
}

#[derive(Deserialize)]
#[serde(tag = "model_type")]
enum VisionConfig {
    #[serde(rename = "clip_vision_model")]
    Clip(ClipVisionConfig),
    #[serde(rename = "siglip_vision_model")]
    Siglip(SiglipVisionConfig),
}

/// What matters of the language model.
#[derive(Deserialize)]
#[serde(default)]
struct TextConfig {
    hidden_size: usize,
}

impl Default for TextConfig {
    /// LLaMA 7B, the default of `transformers`.
    fn default() -> Self {
        Self { hidden_size: 4096 }
    }
}

fn last_but_one() -> i64 {
    -2
}

fn gelu() -> Activation {
    Activation::Gelu
}

/// The only `model_type` of such a file. Those of its descendants (LLaVA-NeXT, LLaVA-OneVision,
/// VipLLaVA) have the same fields and other models.
const LLAVA: &str = "llava";

fn yes() -> bool {
    true
}

impl VisualModuleConfig {
    /// What `config.json` of a LLaVA model says about its picture side.
    ///
    /// # Errors
    /// When it is of another model, or of one that reads several layers, has an encoder other than
    /// CLIP and SigLIP or a connector without biases, or drops a patch of SigLIP's.
    pub fn from_llava(config: &Value) -> Result<Self, serde_json::Error> {
        let config = LlavaConfig::deserialize(config)?;
        if let Some(other) = config.model_type.filter(|name| name != LLAVA) {
            return Err(serde_json::Error::custom(format!(
                "`model_type` is `{other}`; only `{LLAVA}` (LLaVA 1.5) is supported"
            )));
        }
        if !config.multimodal_projector_bias {
            return Err(serde_json::Error::custom(
                "`multimodal_projector_bias` is false, but connectors here have biases",
            ));
        }
        let strategy = config.vision_feature_select_strategy;
        let encoder = match config.vision_config {
            VisionConfig::Clip(clip) => EncoderConfig::Clip(clip),
            VisionConfig::Siglip(_) if strategy == SelectStrategy::Patches => {
                return Err(serde_json::Error::custom(
                    "`vision_feature_select_strategy` is `default`, which drops the first token, \
                     but SigLIP has no class token; it must be `full`",
                ));
            }
            VisionConfig::Siglip(siglip) => EncoderConfig::Siglip(siglip),
        };
        Ok(Self {
            encoder,
            features: FeatureSelection {
                vision_feature_layer: Some(config.vision_feature_layer),
                vision_feature_select_strategy: strategy,
            },
            connector: ConnectorConfig::Mlp(MlpConnectorConfig {
                activation: config.projector_hidden_act,
                ..MlpConnectorConfig::default()
            }),
            d_llm: config.text_config.hidden_size,
        })
    }
}

impl<B: Backend> VisualModule<B> {
    /// Loads the picture side of a folder such as `llava-hf/llava-1.5-7b-hf`: `config.json` and
    /// the weights, of which those of the language model are not read.
    ///
    /// The keys of `options` are not used: this module knows the names, see [`llava_keys`].
    ///
    /// # Errors
    /// [`PretrainedError`] names the file and what is missing or wrong.
    pub fn open_llava(
        folder: impl AsRef<Path>,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, PretrainedError> {
        let folder = PretrainedFolder::open(folder)?;
        let config = VisualModuleConfig::from_llava(&folder.config()?);
        let config = config.map_err(|error| folder.unusable(CONFIG_FILE, error))?;
        let fresh = config.init(device);
        let fresh = fresh.map_err(|error| folder.unusable(CONFIG_FILE, error))?;
        let options = LoadOptions {
            keys: llava_keys(),
            ..options.clone()
        };
        Ok(load(fresh, &folder.weights()?, &options)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    fn vit_l14_336() -> Value {
        json!({
            "hidden_size": 1024, "image_size": 336, "intermediate_size": 4096,
            "model_type": "clip_vision_model", "num_attention_heads": 16,
            "num_hidden_layers": 24, "patch_size": 14, "projection_dim": 768
        })
    }

    #[test]
    fn what_is_left_out_has_the_default() {
        // As in `llava-hf/llava-1.5-7b-hf`.
        let config = json!({
            "architectures": ["LlavaForConditionalGeneration"], "model_type": "llava",
            "text_config": {"model_type": "llama", "vocab_size": 32064},
            "vision_config": vit_l14_336()
        });
        let parsed = VisualModuleConfig::from_llava(&config).unwrap();
        assert_eq!(parsed, VisualModuleConfig::llava_1_5_7b());
    }

    #[test]
    fn what_cannot_be_built_is_refused() {
        let base = json!({"vision_config": vit_l14_336()});
        let siglip = json!({"model_type": "siglip_vision_model"});
        for (field, value, part) in [
            ("model_type", json!("llava_next"), "llava_next"),
            ("model_type", json!("llava_onevision"), "only `llava`"),
            ("model_type", json!("vipllava"), "vipllava"),
            ("vision_config", json!({"model_type": "pixtral"}), "pixtral"),
            ("vision_config", siglip, "must be `full`"),
            ("vision_feature_layer", json!([-2, -5]), "sequence"),
            ("projector_hidden_act", json!("silu"), "silu"),
            ("multimodal_projector_bias", json!(false), "biases"),
            ("vision_feature_select_strategy", json!("cls"), "full"),
        ] {
            let mut config = base.clone();
            config[field] = value;
            let error = VisualModuleConfig::from_llava(&config).unwrap_err();
            assert!(error.to_string().contains(part), "{field}: {error}");
        }
    }
}
