//! Sizes of a CPM-Bee model.

use serde::{Deserialize, Serialize};

use crate::error::LlmError;

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

    /// Checks that a model of these sizes can exist.
    ///
    /// # Errors
    /// [`LlmError::Config`] names the first key that is out of its range.
    pub fn validate(&self) -> Result<(), LlmError> {
        let fail = |key, value: String, allowed| {
            Err(LlmError::Config {
                key,
                value,
                allowed,
            })
        };
        let sizes = [
            ("vocab_size", self.vocab_size),
            ("dim_model", self.dim_model),
            ("num_heads", self.num_heads),
            ("dim_head", self.dim_head),
            ("dim_ff", self.dim_ff),
            ("num_layers", self.num_layers),
            (
                "position_bias_num_segment_buckets",
                self.position_bias_num_segment_buckets,
            ),
        ];
        for (key, value) in sizes {
            if value == 0 {
                return fail(key, value.to_string(), "at least 1");
            }
        }
        if !self.dim_model.is_multiple_of(2) {
            return fail("dim_model", self.dim_model.to_string(), "an even number");
        }
        let buckets = self.position_bias_num_buckets;
        if buckets < 4 || !buckets.is_multiple_of(2) {
            return fail(
                "position_bias_num_buckets",
                buckets.to_string(),
                "an even number, at least 4",
            );
        }
        if self.position_bias_max_distance <= buckets / 4 {
            return fail(
                "position_bias_max_distance",
                self.position_bias_max_distance.to_string(),
                "more than a quarter of position_bias_num_buckets",
            );
        }
        if !(self.eps > 0.0 && self.eps.is_finite()) {
            return fail("eps", self.eps.to_string(), "a positive number");
        }
        if self.dropout_p != 0.0 {
            return fail("dropout_p", self.dropout_p.to_string(), "0");
        }
        if !(self.embedding_init_std >= 0.0 && self.embedding_init_std.is_finite()) {
            return fail(
                "embedding_init_std",
                self.embedding_init_std.to_string(),
                "a finite number, at least 0",
            );
        }
        match &self.mask_modules {
            Some(masks) if masks.len() != self.num_layers => fail(
                "mask_modules",
                format!("a list of {}", masks.len()),
                "a list with one pair for each layer",
            ),
            _ => Ok(()),
        }
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
}
