//! Which language model, and how large.

use burn::tensor::backend::Backend;
use mpm_core::model_folder::part_of_config;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::{Map, Value};

use super::AnyLlm;
use crate::{Family, LlmError, cpm_bee::CpmBeeConfig, llama::LlamaConfig};

/// The key that only configurations of Hugging Face have.
const MODEL_TYPE: &str = "model_type";

/// Sizes of an [`AnyLlm`].
///
/// # Examples
/// ```
/// use mpm_llm::any::AnyLlmConfig;
///
/// let json = r#"{"model_type": "llama", "vocab_size": 100, "hidden_size": 32,
///     "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
///     "max_position_embeddings": 64}"#;
/// let config: AnyLlmConfig = serde_json::from_str(json)?;
/// assert!(matches!(config, AnyLlmConfig::Llama(_)));
/// assert_eq!(config.d_model(), 32);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum AnyLlmConfig {
    /// CPM-Bee.
    CpmBee(CpmBeeConfig),
    /// A model of the LLaMA family.
    Llama(LlamaConfigFile),
}

/// A `config.json` of Hugging Face: what it says, and how it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct LlamaConfigFile {
    json: Map<String, Value>,
    config: LlamaConfig,
}

impl LlamaConfigFile {
    /// What it says.
    pub fn config(&self) -> &LlamaConfig {
        &self.config
    }
}

impl<'de> Deserialize<'de> for LlamaConfigFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Map::deserialize(deserializer)?;
        let config = serde_json::from_value(Value::Object(json.clone()));
        Ok(Self {
            config: config.map_err(D::Error::custom)?,
            json,
        })
    }
}

impl Serialize for LlamaConfigFile {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.json.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for AnyLlmConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Value::Object(Map::deserialize(deserializer)?);
        let config = match json.get(MODEL_TYPE) {
            Some(_) => serde_json::from_value(json).map(Self::Llama),
            None => part_of_config(json).map(Self::CpmBee),
        };
        config.map_err(D::Error::custom)
    }
}

impl From<CpmBeeConfig> for AnyLlmConfig {
    fn from(config: CpmBeeConfig) -> Self {
        Self::CpmBee(config)
    }
}

impl AnyLlmConfig {
    /// Which kind of model it is.
    pub fn family(&self) -> Family {
        match self {
            Self::CpmBee(_) => Family::CpmBee,
            Self::Llama(_) => Family::Llama,
        }
    }

    /// Width of the embeddings.
    pub fn d_model(&self) -> usize {
        match self {
            Self::CpmBee(config) => config.dim_model,
            Self::Llama(file) => file.config.hidden_size,
        }
    }

    /// Inner width of the feed-forward layers.
    pub fn d_ff(&self) -> usize {
        match self {
            Self::CpmBee(config) => config.dim_ff,
            Self::Llama(file) => file.config.intermediate_size,
        }
    }

    /// Number of layers.
    pub fn num_layers(&self) -> usize {
        match self {
            Self::CpmBee(config) => config.num_layers,
            Self::Llama(file) => file.config.num_hidden_layers,
        }
    }

    /// Keys and values that all layers together remember of a token.
    pub fn remembered_per_token(&self) -> usize {
        let of_layer = match self {
            Self::CpmBee(config) => config.num_heads * config.dim_head,
            Self::Llama(file) => file.config.num_key_value_heads * file.config.head_dim,
        };
        2 * of_layer * self.num_layers()
    }

    /// Number of tokens.
    pub fn vocab_size(&self) -> usize {
        match self {
            Self::CpmBee(config) => config.vocab_size,
            Self::Llama(file) => file.config.vocab_size,
        }
    }

    /// The same model for another number of tokens.
    #[must_use]
    pub fn with_vocab_size(mut self, vocab_size: usize) -> Self {
        match &mut self {
            Self::CpmBee(config) => config.vocab_size = vocab_size,
            Self::Llama(file) => {
                file.json.insert("vocab_size".to_owned(), vocab_size.into());
                file.config.vocab_size = vocab_size;
            }
        }
        self
    }

    /// A model with fresh weights.
    ///
    /// # Errors
    /// [`LlmError::Config`] when no model can have these sizes.
    pub fn init<B: Backend>(&self, device: &B::Device) -> Result<AnyLlm<B>, LlmError> {
        Ok(match self {
            Self::CpmBee(config) => AnyLlm::CpmBee(config.init(device)?),
            Self::Llama(file) => AnyLlm::Llama(file.config.init(device)?),
        })
    }
}
