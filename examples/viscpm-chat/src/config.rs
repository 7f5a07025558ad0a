//! Which parts a model is made of, and how large they are.

use burn::tensor::backend::Backend;
use mpm_core::model_folder::part_of_config;
use mpm_llm::{any::AnyLlmConfig, cpm_bee::CpmBeeConfig};
use mpm_vision::{MuffinConfig, VisualModuleConfig};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{ChatError, VisCpmChat};

/// The key of an encoder's configuration that no Muffin has.
const CONNECTOR: &str = "connector";

/// The sizes of both parts.
///
/// As JSON, `llm` is the configuration of CPM-Bee, or the `config.json` of a model of the LLaMA
/// family, which has a `model_type`; `visual` is a [`MuffinConfig`], or a [`VisualModuleConfig`],
/// which has a `connector`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Parts", into = "Parts")]
pub struct VisCpmChatConfig {
    /// The language model.
    pub llm: AnyLlmConfig,
    /// The picture encoder and what leads to the language model's width.
    pub visual: VisualModuleConfig,
}

/// Both parts as JSON.
#[derive(Serialize, Deserialize)]
struct Parts {
    llm: Value,
    visual: Value,
}

impl TryFrom<Parts> for VisCpmChatConfig {
    type Error = String;

    fn try_from(parts: Parts) -> Result<Self, String> {
        let named = |name| move |error: serde_json::Error| format!("`{name}`: {error}");
        Ok(Self {
            llm: serde_json::from_value(parts.llm).map_err(named("llm"))?,
            visual: visual_of(parts.visual).map_err(named("visual"))?,
        })
    }
}

/// Reads the configuration of a visual module, a Muffin or another one.
pub(crate) fn visual_of(json: Value) -> Result<VisualModuleConfig, serde_json::Error> {
    match json.get(CONNECTOR) {
        Some(_) => part_of_config(json),
        None => part_of_config::<MuffinConfig>(json).map(Into::into),
    }
}

impl From<VisCpmChatConfig> for Parts {
    fn from(config: VisCpmChatConfig) -> Self {
        Self {
            llm: serde_json::json!(config.llm),
            visual: match config.visual.as_muffin() {
                // As the first models have it.
                Some(muffin) => serde_json::json!(muffin),
                None => serde_json::json!(config.visual),
            },
        }
    }
}

impl VisCpmChatConfig {
    /// The published model: CPM-Bee 10B and Muffin around BEiT-3 large.
    pub fn viscpm_chat() -> Self {
        Self::muffin(CpmBeeConfig::cpm_bee_10b(), MuffinConfig::viscpm_chat())
    }

    /// A model of the same parts in other sizes.
    pub fn muffin(llm: CpmBeeConfig, visual: MuffinConfig) -> Self {
        Self {
            llm: llm.into(),
            visual: visual.into(),
        }
    }

    /// A model of random weights, to be trained or loaded into.
    ///
    /// # Errors
    /// [`ChatError::Config`] when the parts do not fit together, and what their
    /// own `init` returns.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<VisCpmChat<B>, ChatError> {
        let (d_llm, d_model) = (self.visual.d_llm, self.llm.d_model());
        if d_llm != d_model {
            return Err(ChatError::Config {
                reason: format!(
                    "the visual module leads to width {d_llm} (`visual.d_llm`), but the language \
                     model reads width {d_model} (`llm`); make them equal"
                ),
            });
        }
        Ok(VisCpmChat {
            llm: self.llm.init(device)?,
            visual: self.visual.init(device)?,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use serde_json::json;

    use super::*;

    #[test]
    fn the_published_model_is_written_as_ever() {
        let config = VisCpmChatConfig::viscpm_chat();
        let json = json!(config);
        assert_eq!(json["llm"], json!(CpmBeeConfig::cpm_bee_10b()));
        assert_eq!(json["visual"], json!(MuffinConfig::viscpm_chat()));
        assert_eq!(
            serde_json::from_value::<VisCpmChatConfig>(json).unwrap(),
            config
        );
    }

    #[test]
    fn other_parts_are_known_by_their_keys() {
        let json = json!({
            "llm": {"model_type": "llama", "vocab_size": 100, "hidden_size": 32,
                "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
                "max_position_embeddings": 64, "torch_dtype": "bfloat16"},
            "visual": {"encoder": {"type": "siglip"}, "connector": {"type": "mlp"}, "d_llm": 32},
        });
        let config: VisCpmChatConfig = serde_json::from_value(json.clone()).unwrap();
        assert!(matches!(config.llm, AnyLlmConfig::Llama(_)));
        assert!(config.visual.as_muffin().is_none());
        // What the file says beyond what is used stays.
        let written = json!(config);
        assert_eq!(written["llm"], json["llm"]);
        assert_eq!(
            serde_json::from_value::<VisCpmChatConfig>(written).unwrap(),
            config
        );
    }

    #[test]
    fn what_is_wrong_is_named_with_its_part() {
        let json = json!(VisCpmChatConfig::viscpm_chat());
        for (part, place) in [("llm", "/llm"), ("visual", "/visual/encoder")] {
            let mut json = json.clone();
            json.pointer_mut(place).unwrap()["colour"] = json!(1);
            let error = serde_json::from_value::<VisCpmChatConfig>(json).unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains(&format!("`{part}`: unknown field")),
                "{error}"
            );
            assert!(error.contains("colour"), "{error}");
        }
    }
}
