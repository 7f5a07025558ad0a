//! Sizes of a CPM-Bee model.

use serde::{Deserialize, Serialize};

use crate::{
    check::{check_eps, check_layers, check_sizes, require},
    error::LlmError,
};

/// Sizes of a [`CpmBee`](super::CpmBee) model.
///
/// The names are those of CPM-Bee's published `config.json`
/// (`config/cpm-bee-10b.json` of VisCPM), which deserialises into this type;
/// keys that are absent take the values of [`CpmBeeConfig::cpm_bee_10b`], keys
/// that are not listed here (`half`) are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct CpmBeeConfig {
    /// Number of tokens of the vocabulary, without the ext table.
    pub vocab_size: usize,
    /// Width `d_model` of the hidden states.
    pub dim_model: usize,
    /// Number of attention heads.
    pub num_heads: usize,
    /// Width of one head; `num_heads · dim_head` need not be `dim_model`.
    pub dim_head: usize,
    /// Inner width of the gated feed-forward layers.
    pub dim_ff: usize,
    /// Number of transformer blocks.
    pub num_layers: usize,
    /// Buckets for distances within one segment, half of them for each
    /// direction. Even, at least 4.
    pub position_bias_num_buckets: usize,
    /// Buckets for relations between different segments.
    pub position_bias_num_segment_buckets: usize,
    /// Distance from which on all tokens share one bucket.
    pub position_bias_max_distance: usize,
    /// Added to the mean square in the norms.
    pub eps: f64,
    /// Dropout. Only 0, the published value, is supported.
    pub dropout_p: f64,
    /// For each layer, whether its attention and its feed-forward block are
    /// left out, as in CPM-Bee's pruned models. `None`: none is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mask_modules: Option<Vec<(bool, bool)>>,
    /// Standard deviation of a freshly initialised embedding. It has no effect
    /// on a model that is loaded.
    pub embedding_init_std: f64,
}

impl Default for CpmBeeConfig {
    fn default() -> Self {
        Self::cpm_bee_10b()
    }
}

impl CpmBeeConfig {
    /// The published model of 10 billion parameters, which VisCPM builds on.
    pub fn cpm_bee_10b() -> Self {
        Self {
            vocab_size: 86_583,
            dim_model: 4096,
            num_heads: 32,
            dim_head: 128,
            dim_ff: 10_240,
            num_layers: 48,
            position_bias_num_buckets: 256,
            position_bias_num_segment_buckets: 256,
            position_bias_max_distance: 2048,
            eps: 1e-6,
            dropout_p: 0.0,
            mask_modules: None,
            embedding_init_std: 0.02,
        }
    }

    /// A model that trains on a laptop: 4 layers of width 256.
    pub fn tiny() -> Self {
        Self {
            vocab_size: 8192,
            dim_model: 256,
            num_heads: 8,
            dim_head: 32,
            dim_ff: 640,
            num_layers: 4,
            position_bias_num_buckets: 64,
            position_bias_num_segment_buckets: 256,
            position_bias_max_distance: 256,
            ..Self::cpm_bee_10b()
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
            ("dim_model", self.dim_model),
            ("num_heads", self.num_heads),
            ("dim_head", self.dim_head),
            ("dim_ff", self.dim_ff),
            ("position_bias_num_buckets", self.position_bias_num_buckets),
            (
                "position_bias_num_segment_buckets",
                self.position_bias_num_segment_buckets,
            ),
            (
                "position_bias_max_distance",
                self.position_bias_max_distance,
            ),
        ])?;
        check_layers("num_layers", self.num_layers)?;
        check_eps("eps", self.eps)?;
        require(
            self.dim_model.is_multiple_of(2),
            "dim_model",
            self.dim_model,
            "an even number",
        )?;
        let buckets = self.position_bias_num_buckets;
        require(
            buckets >= 4 && buckets.is_multiple_of(2),
            "position_bias_num_buckets",
            buckets,
            "an even number, at least 4",
        )?;
        require(
            self.position_bias_max_distance > buckets / 4,
            "position_bias_max_distance",
            self.position_bias_max_distance,
            "more than a quarter of position_bias_num_buckets",
        )?;
        require(self.dropout_p == 0.0, "dropout_p", self.dropout_p, "0")?;
        require(
            self.embedding_init_std >= 0.0 && self.embedding_init_std.is_finite(),
            "embedding_init_std",
            self.embedding_init_std,
            "a finite number, at least 0",
        )?;
        let masks = self.mask_modules.as_ref().map_or(self.num_layers, Vec::len);
        require(
            masks == self.num_layers,
            "mask_modules",
            format!("a list of {masks}"),
            "a list with one pair for each layer",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_published_file() {
        let json = r#"{"vocab_size": 86583, "dim_model": 4096, "dim_ff": 10240, "num_layers": 48,
            "num_heads": 32, "dim_head": 128, "dropout_p": 0.0, "position_bias_num_buckets": 256,
            "position_bias_num_segment_buckets": 256, "position_bias_max_distance": 2048,
            "eps": 1e-6, "half": true}"#;
        let config: CpmBeeConfig = serde_json::from_str(json).expect("the file is valid");
        assert_eq!(config, CpmBeeConfig::cpm_bee_10b());
    }

    #[test]
    fn presets_are_valid() {
        CpmBeeConfig::cpm_bee_10b().validate().expect("10b");
        CpmBeeConfig::tiny().validate().expect("tiny");
    }

    #[test]
    fn names_the_wrong_key() {
        let cases: [(&str, CpmBeeConfig); 5] = [
            (
                "num_heads",
                CpmBeeConfig {
                    num_heads: 0,
                    ..CpmBeeConfig::tiny()
                },
            ),
            (
                "position_bias_num_buckets",
                CpmBeeConfig {
                    position_bias_num_buckets: 7,
                    ..CpmBeeConfig::tiny()
                },
            ),
            (
                "eps",
                CpmBeeConfig {
                    eps: f64::NAN,
                    ..CpmBeeConfig::tiny()
                },
            ),
            (
                "dropout_p",
                CpmBeeConfig {
                    dropout_p: 0.1,
                    ..CpmBeeConfig::tiny()
                },
            ),
            (
                "mask_modules",
                CpmBeeConfig {
                    mask_modules: Some(vec![(true, false)]),
                    ..CpmBeeConfig::tiny()
                },
            ),
        ];
        for (expected, config) in cases {
            match config.validate() {
                Err(LlmError::Config { key, .. }) => assert_eq!(key, expected),
                other => panic!("{expected}: {other:?}"),
            }
        }
    }

    #[test]
    fn absurd_sizes_are_refused_before_anything_is_made_of_them() {
        for key in [
            "vocab_size",
            "dim_model",
            "num_heads",
            "dim_head",
            "dim_ff",
            "num_layers",
            "position_bias_num_buckets",
            "position_bias_num_segment_buckets",
            "position_bias_max_distance",
        ] {
            let json = format!(r#"{{"{key}": 4000000000000000000}}"#);
            let config: CpmBeeConfig = serde_json::from_str(&json).expect("is a number");
            match config.validate() {
                Err(LlmError::Config { key: found, .. }) => assert_eq!(found, key),
                other => panic!("{key}: {other:?}"),
            }
        }
    }
}
