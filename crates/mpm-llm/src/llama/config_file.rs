//! `config.json` of the family's models, as versions 4 and 5 of `transformers` write it.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    config::LlamaConfig,
    rope_config::{RopeConfig, RopeScaling},
};
use crate::{
    check::{MAX_COUNT, require},
    error::LlmError,
};

/// The base of rotary positions where a file leaves it out.
const DEFAULT_THETA: f64 = 10_000.0;
/// Width of a head of Qwen3 where a file leaves it out.
const QWEN3_HEAD_DIM: usize = 128;

/// The keys that matter; those without a default are in every published file.
#[derive(Deserialize)]
pub(super) struct ConfigFile {
    model_type: String,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    max_position_embeddings: usize,
    #[serde(default = "default_eps")]
    rms_norm_eps: f64,
    hidden_act: Option<String>,
    tie_word_embeddings: Option<bool>,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,

    rope_parameters: Option<Map<String, Value>>,
    rope_scaling: Option<Map<String, Value>>,
    rope_theta: Option<f64>,
    partial_rotary_factor: Option<f64>,
    original_max_position_embeddings: Option<f64>,

    #[serde(default = "default_window")]
    sliding_window: Option<usize>,
    #[serde(default)]
    use_sliding_window: bool,
    #[serde(default = "default_window_layers")]
    max_window_layers: usize,
    layer_types: Option<Vec<String>>,

    #[serde(default = "one")]
    scale_emb: f64,
    #[serde(default = "one")]
    scale_depth: f64,
    #[serde(default = "one")]
    dim_model_base: f64,
    #[serde(default)]
    num_experts: usize,
    sparse_config: Option<Value>,
    quantization_config: Option<Value>,
}

fn default_eps() -> f64 {
    1e-6
}

/// Of Mistral and of Qwen; a file that has none says `null`.
fn default_window() -> Option<usize> {
    Some(4096)
}

fn default_window_layers() -> usize {
    28
}

fn one() -> f64 {
    1.0
}

/// The members of the family.
#[derive(Clone, Copy, PartialEq)]
enum ModelType {
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
    MiniCpm,
}

impl ModelType {
    fn of(name: &str) -> Result<Self, LlmError> {
        match name {
            "llama" => Ok(Self::Llama),
            "mistral" => Ok(Self::Mistral),
            "qwen2" => Ok(Self::Qwen2),
            "qwen3" => Ok(Self::Qwen3),
            "minicpm" => Ok(Self::MiniCpm),
            other => Err(LlmError::Config {
                key: "model_type",
                value: other.to_owned(),
                allowed: "llama, mistral, qwen2, qwen3, minicpm",
            }),
        }
    }
}

impl TryFrom<ConfigFile> for LlamaConfig {
    type Error = LlmError;

    fn try_from(file: ConfigFile) -> Result<Self, LlmError> {
        let model_type = ModelType::of(&file.model_type)?;
        file.refuse_what_is_not_supported()?;
        let mini = model_type == ModelType::MiniCpm;
        let (sliding_window, sliding_layers) = file.sliding(model_type)?;
        let config = Self {
            vocab_size: file.vocab_size,
            hidden_size: file.hidden_size,
            intermediate_size: file.intermediate_size,
            num_hidden_layers: file.num_hidden_layers,
            num_attention_heads: file.num_attention_heads,
            num_key_value_heads: file.num_key_value_heads.unwrap_or(file.num_attention_heads),
            head_dim: file.head_dim(model_type)?,
            max_position_embeddings: file.max_position_embeddings,
            rms_norm_eps: file.rms_norm_eps,
            tie_word_embeddings: file.tie_word_embeddings.unwrap_or(mini),
            qkv_bias: file.attention_bias || model_type == ModelType::Qwen2,
            o_bias: file.attention_bias && model_type != ModelType::Qwen2,
            mlp_bias: file.mlp_bias,
            qk_norm: model_type == ModelType::Qwen3,
            sliding_window,
            sliding_layers,
            rope: file.rope()?,
            embedding_scale: if mini { file.scale_emb } else { 1.0 },
            residual_scale: match mini {
                true => file.scale_depth / (file.num_hidden_layers as f64).sqrt(),
                false => 1.0,
            },
            logit_scale: match mini {
                true => file.dim_model_base / file.hidden_size as f64,
                false => 1.0,
            },
        };
        config.validate()?;
        Ok(config)
    }
}

impl ConfigFile {
    fn refuse_what_is_not_supported(&self) -> Result<(), LlmError> {
        let act = self.hidden_act.as_deref().unwrap_or("silu");
        require(act == "silu", "hidden_act", act, "silu")?;
        require(self.num_experts == 0, "num_experts", self.num_experts, "0")?;
        for (key, value, allowed) in [
            ("sparse_config", &self.sparse_config, "none"),
            (
                "quantization_config",
                &self.quantization_config,
                "none; take the model that is not quantized, and quantize it while loading",
            ),
        ] {
            let value = value.as_ref().unwrap_or(&Value::Null);
            require(value.is_null(), key, value, allowed)?;
        }
        let rotated = self.partial_rotary_factor.unwrap_or(1.0);
        require(rotated == 1.0, "partial_rotary_factor", rotated, "1")
    }

    fn head_dim(&self, model_type: ModelType) -> Result<usize, LlmError> {
        let (width, heads) = (self.hidden_size, self.num_attention_heads);
        match self.head_dim {
            Some(head_dim) => Ok(head_dim),
            None if model_type == ModelType::Qwen3 => Ok(QWEN3_HEAD_DIM),
            None => {
                require(
                    heads > 0 && width.is_multiple_of(heads),
                    "hidden_size",
                    width,
                    "a multiple of num_attention_heads, where there is no head_dim",
                )?;
                Ok(width / heads)
            }
        }
    }

    /// The window, and which layers see that only.
    fn sliding(&self, model_type: ModelType) -> Result<(Option<usize>, Vec<bool>), LlmError> {
        let layers = self.num_hidden_layers.min(MAX_COUNT);
        let window = match model_type {
            ModelType::Mistral => self.sliding_window,
            ModelType::Qwen2 | ModelType::Qwen3 => {
                self.sliding_window.filter(|_| self.use_sliding_window)
            }
            ModelType::Llama | ModelType::MiniCpm => None,
        };
        if window.is_none() {
            return Ok((None, Vec::new()));
        }
        let sliding = match (&self.layer_types, model_type) {
            // `transformers` does not look at `layer_types` there.
            (_, ModelType::Mistral) => vec![true; layers],
            (Some(types), _) => types
                .iter()
                .map(|kind| match kind.as_str() {
                    "full_attention" => Ok(false),
                    "sliding_attention" => Ok(true),
                    other => Err(LlmError::Config {
                        key: "layer_types",
                        value: other.to_owned(),
                        allowed: "full_attention, sliding_attention",
                    }),
                })
                .collect::<Result<_, _>>()?,
            (None, _) => (0..layers)
                .map(|layer| layer >= self.max_window_layers)
                .collect(),
        };
        Ok((window, sliding))
    }

    fn rope(&self) -> Result<RopeConfig, LlmError> {
        let given = [&self.rope_scaling, &self.rope_parameters]
            .into_iter()
            .flatten()
            .find(|rope| !rope.is_empty());
        let Some(given) = given else {
            return Ok(RopeConfig {
                theta: self.rope_theta.unwrap_or(DEFAULT_THETA),
                scaling: RopeScaling::Default,
            });
        };
        let value = Value::Object(given.clone());
        let rope: RopeFile =
            serde_json::from_value(value.clone()).map_err(|error| LlmError::Config {
                key: "rope_parameters",
                value: format!("{value} ({error})"),
                allowed: "numbers by their names",
            })?;
        let by_layer = ["full_attention", "sliding_attention"].map(|kind| given.get(kind));
        require(
            by_layer == [None, None],
            "rope_parameters",
            &value,
            "the same for all layers",
        )?;
        let rotated = rope.partial_rotary_factor.unwrap_or(1.0);
        require(rotated == 1.0, "partial_rotary_factor", rotated, "1")?;
        Ok(RopeConfig {
            theta: rope.rope_theta.or(self.rope_theta).unwrap_or(DEFAULT_THETA),
            scaling: rope.scaling(
                self.max_position_embeddings as f64,
                self.original_max_position_embeddings,
            )?,
        })
    }
}

/// `rope_parameters` of version 5 and `rope_scaling` of version 4.
#[derive(Deserialize)]
struct RopeFile {
    rope_type: Option<String>,
    /// As older files call it.
    r#type: Option<String>,
    rope_theta: Option<f64>,
    partial_rotary_factor: Option<f64>,
    factor: Option<f64>,
    attention_factor: Option<f64>,
    beta_fast: Option<f64>,
    beta_slow: Option<f64>,
    mscale: Option<f64>,
    mscale_all_dim: Option<f64>,
    truncate: Option<bool>,
    low_freq_factor: Option<f64>,
    high_freq_factor: Option<f64>,
    short_factor: Option<Vec<f64>>,
    long_factor: Option<Vec<f64>>,
    original_max_position_embeddings: Option<f64>,
}

impl RopeFile {
    /// For a model made for `max` tokens, whose file may say beside this map what its original
    /// context was.
    fn scaling(self, max: f64, original_beside: Option<f64>) -> Result<RopeScaling, LlmError> {
        let original = original_beside
            .or(self.original_max_position_embeddings)
            .unwrap_or(max);
        let name = self.rope_type.or(self.r#type);
        match name.as_deref().unwrap_or("default") {
            "default" => Ok(RopeScaling::Default),
            "linear" => Ok(RopeScaling::Linear {
                factor: given("rope factor", self.factor)?,
            }),
            "dynamic" => Ok(RopeScaling::Dynamic {
                factor: given("rope factor", self.factor)?,
                max_position_embeddings: max,
            }),
            "llama3" => Ok(RopeScaling::Llama3 {
                factor: given("rope factor", self.factor)?,
                low_freq_factor: given("rope low_freq_factor", self.low_freq_factor)?,
                high_freq_factor: given("rope high_freq_factor", self.high_freq_factor)?,
                original_max_position_embeddings: original,
            }),
            "yarn" => {
                let factor = self.factor.unwrap_or(max / original);
                let sharpness = |scale: f64| match factor > 1.0 {
                    true => 0.1 * scale * factor.ln() + 1.0,
                    false => 1.0,
                };
                let inferred = match (self.mscale, self.mscale_all_dim) {
                    (Some(scale), Some(all)) if scale != 0.0 && all != 0.0 => {
                        sharpness(scale) / sharpness(all)
                    }
                    _ => sharpness(1.0),
                };
                Ok(RopeScaling::Yarn {
                    factor,
                    attention_factor: self.attention_factor.unwrap_or(inferred),
                    beta_fast: self.beta_fast.unwrap_or(32.0),
                    beta_slow: self.beta_slow.unwrap_or(1.0),
                    original_max_position_embeddings: original,
                    truncate: self.truncate.unwrap_or(true),
                })
            }
            "longrope" => {
                let factor = self.factor.unwrap_or(max / original);
                let inferred = match factor > 1.0 {
                    true => (1.0 + factor.ln() / original.ln()).sqrt(),
                    false => 1.0,
                };
                Ok(RopeScaling::LongRope {
                    short_factor: given("rope short_factor", self.short_factor)?,
                    long_factor: given("rope long_factor", self.long_factor)?,
                    attention_factor: self.attention_factor.unwrap_or(inferred),
                    original_max_position_embeddings: original,
                })
            }
            other => Err(LlmError::Config {
                key: "rope_type",
                value: other.to_owned(),
                allowed: "default, linear, dynamic, llama3, yarn, longrope",
            }),
        }
    }
}

fn given<T>(key: &'static str, value: Option<T>) -> Result<T, LlmError> {
    value.ok_or_else(|| LlmError::Config {
        key,
        value: "nothing".to_owned(),
        allowed: "what this rope_type needs",
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use serde_json::json;

    /// A file with these keys added.
    fn read(model_type: &str, keys: Value) -> Result<LlamaConfig, String> {
        let mut file = json!({
            "model_type": model_type, "vocab_size": 64, "hidden_size": 32,
            "intermediate_size": 48, "num_hidden_layers": 4, "num_attention_heads": 4,
            "num_key_value_heads": 2, "max_position_embeddings": 128,
        });
        let Value::Object(keys) = keys else {
            panic!("{keys}")
        };
        file.as_object_mut().unwrap().extend(keys);
        serde_json::from_value(file).map_err(|error| error.to_string())
    }

    #[test]
    fn members_differ_in_what_they_add() {
        let llama = read("llama", json!({})).unwrap();
        assert_eq!(
            llama,
            LlamaConfig {
                num_hidden_layers: 4,
                ..LlamaConfig::tiny()
            }
        );
        let biased = read("llama", json!({"attention_bias": true, "mlp_bias": true})).unwrap();
        assert!(biased.qkv_bias && biased.o_bias && biased.mlp_bias);

        let qwen2 = read("qwen2", json!({"sliding_window": 16})).unwrap();
        assert!(qwen2.qkv_bias && !qwen2.o_bias && !qwen2.qk_norm);
        assert_eq!(qwen2.sliding_window, None);
        let qwen3 = read("qwen3", json!({})).unwrap();
        assert!(qwen3.qk_norm && !qwen3.qkv_bias);
        assert_eq!(qwen3.head_dim, 128);

        let scales = json!({"scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 16});
        let mini = read("minicpm", scales.clone()).unwrap();
        assert!(mini.tie_word_embeddings);
        assert_eq!(mini.embedding_scale, 12.0);
        assert_eq!(mini.residual_scale, 0.7);
        assert_eq!(mini.logit_scale, 0.5);
        assert_eq!(read("llama", scales).unwrap(), llama);
    }

    #[test]
    fn windows_are_those_of_the_layers_that_have_them() {
        let mistral = |keys| read("mistral", keys).unwrap();
        assert_eq!(mistral(json!({})).sliding_window, Some(4096));
        assert!(mistral(json!({})).is_sliding(3));
        let kinds = json!({"layer_types": ["full_attention", "sliding_attention"]});
        assert_eq!(mistral(kinds).sliding_layers, [true; 4]);
        assert_eq!(
            mistral(json!({"sliding_window": null})).sliding_window,
            None
        );

        let qwen = |keys: Value| {
            let mut all = json!({"use_sliding_window": true, "sliding_window": 16});
            let keys = keys.as_object().unwrap().clone();
            all.as_object_mut().unwrap().extend(keys);
            read("qwen2", all)
        };
        let layers = qwen(json!({"max_window_layers": 3})).unwrap();
        assert_eq!(layers.sliding_layers, [false, false, false, true]);
        let kinds = json!([
            "sliding_attention",
            "full_attention",
            "full_attention",
            "full_attention"
        ]);
        let layers = qwen(json!({"layer_types": kinds})).unwrap();
        assert_eq!(layers.sliding_layers, [true, false, false, false]);
        let error = qwen(json!({"layer_types": ["linear_attention"]})).unwrap_err();
        assert!(error.contains("layer_types = linear_attention"), "{error}");
    }

    #[test]
    fn both_spellings_of_rope_mean_the_same() {
        let old = json!({
            "rope_theta": 5e5,
            "rope_scaling": {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32},
        });
        let new = json!({"rope_parameters": {
            "rope_theta": 5e5, "rope_type": "yarn", "factor": 4.0,
            "original_max_position_embeddings": 32,
        }});
        let (old, new) = (read("llama", old).unwrap(), read("llama", new).unwrap());
        assert_eq!(old, new);
        let RopeScaling::Yarn {
            attention_factor, ..
        } = old.rope.scaling
        else {
            panic!("{:?}", old.rope)
        };
        assert!((attention_factor - (0.1 * 4_f64.ln() + 1.0)).abs() < 1e-12);

        let plain = read("llama", json!({"rope_theta": 5e5, "rope_scaling": null})).unwrap();
        let default = json!({"rope_parameters": {"rope_theta": 5e5, "rope_type": "default"}});
        assert_eq!(plain, read("llama", default).unwrap());
    }

    #[test]
    fn what_is_not_supported_is_named() {
        for (model_type, keys, expected) in [
            (
                "gpt2",
                json!({}),
                "model_type = gpt2; allowed: llama, mistral",
            ),
            ("llama", json!({"hidden_act": "gelu"}), "hidden_act = gelu"),
            (
                "llama",
                json!({"num_attention_heads": 5}),
                "hidden_size = 32",
            ),
            (
                "llama",
                json!({"num_key_value_heads": 3}),
                "num_key_value_heads = 3",
            ),
            ("minicpm", json!({"num_experts": 8}), "num_experts = 8"),
            (
                "minicpm",
                json!({"sparse_config": {"a": 1}}),
                "sparse_config",
            ),
            (
                "llama",
                json!({"quantization_config": {"bits": 4}}),
                "quantize it while loading",
            ),
            (
                "llama",
                json!({"partial_rotary_factor": 0.5}),
                "partial_rotary_factor = 0.5",
            ),
            (
                "llama",
                json!({"rope_scaling": {"type": "su"}}),
                "rope_type = su",
            ),
            (
                "llama",
                json!({"rope_scaling": {"type": "linear"}}),
                "rope factor = nothing",
            ),
            (
                "llama",
                json!({"rope_scaling": {"type": "linear", "factor": -1.0}}),
                "rope factor = -1",
            ),
            (
                "llama",
                json!({"rope_scaling": {"type": "longrope", "short_factor": [1], "long_factor": [1]}}),
                "rope short_factor = a list of 1",
            ),
            (
                "llama",
                json!({"rope_parameters": {"full_attention": {"rope_theta": 1e4}}}),
                "the same for all layers",
            ),
            ("llama", json!({"rope_theta": 0}), "rope_theta = 0"),
            (
                "llama",
                json!({"num_hidden_layers": 4e18 as u64}),
                "num_hidden_layers",
            ),
            (
                "mistral",
                json!({"num_hidden_layers": 4e18 as u64}),
                "num_hidden_layers",
            ),
        ] {
            let error = read(model_type, keys).unwrap_err();
            assert!(error.contains(expected), "{expected}: {error}");
        }
    }
}
