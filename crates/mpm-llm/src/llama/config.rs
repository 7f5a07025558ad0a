//! Sizes of a model of the LLaMA family.

use serde::Deserialize;

use super::{config_file::ConfigFile, rope_config::RopeConfig};
use crate::{
    check::{check_eps, check_layers, check_sizes, require},
    error::LlmError,
};

/// Architecture of a [`Llama`](super::Llama).
///
/// The models of the family differ in few points, and each of them is a field here. Reading
/// `config.json` ([`Deserialize`]) sets them by its `model_type`: `llama` (2, 3, 3.1, 3.2),
/// `mistral`, `qwen2` (2.5, too), `qwen3` or `minicpm`. Names and defaults are those of
/// `transformers`, in the spelling of version 4 or 5; keys that no model of the family needs are
/// ignored, and what would change the results and is not supported is an error.
///
/// # Examples
/// ```
/// use mpm_llm::llama::LlamaConfig;
///
/// let json = r#"{"model_type": "qwen2", "vocab_size": 151936, "hidden_size": 896,
///     "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14,
///     "num_key_value_heads": 2, "max_position_embeddings": 32768, "rope_theta": 1000000.0,
///     "tie_word_embeddings": true}"#;
/// let config: LlamaConfig = serde_json::from_str(json)?;
/// assert!(config.qkv_bias);
/// assert_eq!(config.head_dim, 64);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(try_from = "ConfigFile")]
pub struct LlamaConfig {
    /// Number of rows of the embedding table, which may be padded beyond the tokenizer's tokens.
    pub vocab_size: usize,
    /// Width `d_model` of the hidden states.
    pub hidden_size: usize,
    /// Inner width of the feed-forward layers.
    pub intermediate_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Number of query heads.
    pub num_attention_heads: usize,
    /// Number of key and value heads, each of which serves a group of query heads.
    pub num_key_value_heads: usize,
    /// Width of a head, even; heads need not add up to `hidden_size`.
    pub head_dim: usize,
    /// Tokens that the model was made for.
    pub max_position_embeddings: usize,
    /// Added to the mean square in the norms.
    pub rms_norm_eps: f64,
    /// Whether the output layer is the embedding table.
    pub tie_word_embeddings: bool,
    /// Whether the projections to queries, keys and values have biases.
    pub qkv_bias: bool,
    /// Whether the projection of the heads' joined outputs has a bias.
    pub o_bias: bool,
    /// Whether the feed-forward layers have biases.
    pub mlp_bias: bool,
    /// Whether the queries and keys of each head are normalised.
    pub qk_norm: bool,
    /// How many tokens the sliding layers see, the token itself included.
    pub sliding_window: Option<usize>,
    /// For each layer whether it sees the `sliding_window` only; empty where no layer does.
    pub sliding_layers: Vec<bool>,
    /// How positions enter.
    pub rope: RopeConfig,
    /// Factor of the embeddings, 1 but for MiniCPM (`scale_emb`).
    pub embedding_scale: f64,
    /// Factor of what a layer adds, 1 but for MiniCPM (`scale_depth` over the root of the number
    /// of layers).
    pub residual_scale: f64,
    /// Factor of the last hidden states before the output layer, 1 but for MiniCPM
    /// (`dim_model_base / hidden_size`).
    pub logit_scale: f64,
}

impl LlamaConfig {
    /// A toy of two layers for tests and examples: 64 tokens, width 32.
    pub fn tiny() -> Self {
        Self {
            vocab_size: 64,
            hidden_size: 32,
            intermediate_size: 48,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            head_dim: 8,
            max_position_embeddings: 128,
            rms_norm_eps: 1e-6,
            tie_word_embeddings: false,
            qkv_bias: false,
            o_bias: false,
            mlp_bias: false,
            qk_norm: false,
            sliding_window: None,
            sliding_layers: Vec::new(),
            rope: RopeConfig::default(),
            embedding_scale: 1.0,
            residual_scale: 1.0,
            logit_scale: 1.0,
        }
    }

    /// Query heads that share a key and value head.
    pub fn group(&self) -> usize {
        self.num_attention_heads / self.num_key_value_heads
    }

    /// Whether a layer sees the `sliding_window` only.
    pub fn is_sliding(&self, layer: usize) -> bool {
        self.sliding_window.is_some() && self.sliding_layers.get(layer).is_some_and(|&is| is)
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
            ("num_key_value_heads", self.num_key_value_heads),
            ("head_dim", self.head_dim),
            ("max_position_embeddings", self.max_position_embeddings),
            ("sliding_window", self.sliding_window.unwrap_or(1)),
        ])?;
        check_layers("num_hidden_layers", self.num_hidden_layers)?;
        check_eps("rms_norm_eps", self.rms_norm_eps)?;
        require(
            self.num_attention_heads
                .is_multiple_of(self.num_key_value_heads),
            "num_key_value_heads",
            self.num_key_value_heads,
            "a divisor of num_attention_heads",
        )?;
        require(
            self.head_dim.is_multiple_of(2),
            "head_dim",
            self.head_dim,
            "an even number",
        )?;
        let kinds = self.sliding_layers.len();
        require(
            kinds == 0 || kinds == self.num_hidden_layers,
            "layer_types",
            format!("a list of {kinds}"),
            "a list with one entry for each layer",
        )?;
        for (key, scale) in [
            ("scale_emb", self.embedding_scale),
            ("scale_depth", self.residual_scale),
            ("dim_model_base", self.logit_scale),
        ] {
            let possible = scale > 0.0 && scale.is_finite();
            require(possible, key, scale, "a positive number")?;
        }
        self.rope.validate(self.head_dim)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn wrong_key(config: LlamaConfig) -> &'static str {
        match config.validate() {
            Err(LlmError::Config { key, .. }) => key,
            other => panic!("expected a configuration error, got {other:?}"),
        }
    }

    #[test]
    fn what_no_model_can_have_is_named() {
        let tiny = LlamaConfig::tiny;
        tiny().validate().unwrap();
        for (key, config) in [
            (
                "num_key_value_heads",
                LlamaConfig {
                    num_key_value_heads: 3,
                    ..tiny()
                },
            ),
            (
                "head_dim",
                LlamaConfig {
                    head_dim: 7,
                    ..tiny()
                },
            ),
            (
                "vocab_size",
                LlamaConfig {
                    vocab_size: usize::MAX,
                    ..tiny()
                },
            ),
            (
                "layer_types",
                LlamaConfig {
                    sliding_layers: vec![true],
                    ..tiny()
                },
            ),
            (
                "scale_depth",
                LlamaConfig {
                    residual_scale: f64::NAN,
                    ..tiny()
                },
            ),
            (
                "sliding_window",
                LlamaConfig {
                    sliding_window: Some(0),
                    ..tiny()
                },
            ),
        ] {
            assert_eq!(wrong_key(config), key);
        }
    }
}
