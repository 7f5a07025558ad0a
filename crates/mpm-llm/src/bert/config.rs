//! Sizes of a BERT model, as `config.json` of a model folder has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    LlmError,
    check::{MAX_COUNT, check_eps, check_layers, check_sizes, require},
};

/// Architecture of a BERT model.
///
/// Names and defaults are those of `BertConfig` in `transformers`, because published
/// configurations leave out what equals its default; keys that are not listed here are ignored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct BertConfig {
    /// Number of tokens of the vocabulary.
    pub vocab_size: usize,
    /// Width of a token; a multiple of `num_attention_heads`.
    pub hidden_size: usize,
    /// Number of layers.
    pub num_hidden_layers: usize,
    /// Number of attention heads.
    pub num_attention_heads: usize,
    /// Width of the hidden layer of a feed-forward network.
    pub intermediate_size: usize,
    /// Activation of the feed-forward networks. Only `gelu`, the exact one, is supported.
    pub hidden_act: String,
    /// The most tokens of a text, its first and last included.
    pub max_position_embeddings: usize,
    /// How many parts a text may have; prompts have one.
    pub type_vocab_size: usize,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
    /// How positions enter. Only `absolute` is supported.
    pub position_embedding_type: String,
    /// The labels' names by their number, for classifiers; `None` for `LABEL_0` and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id2label: Option<BTreeMap<usize, String>>,
    /// How many labels there are; `None` for as many as `id2label` names, else 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_labels: Option<usize>,
    /// What a classifier's logits mean. Only `single_label_classification`, which `None` stands
    /// for, is supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem_type: Option<String>,
}

impl Default for BertConfig {
    /// `bert-base-uncased`, the default of `transformers`.
    fn default() -> Self {
        Self {
            vocab_size: 30_522,
            hidden_size: 768,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            intermediate_size: 3072,
            hidden_act: GELU.to_owned(),
            max_position_embeddings: 512,
            type_vocab_size: 2,
            layer_norm_eps: 1e-12,
            position_embedding_type: ABSOLUTE.to_owned(),
            id2label: None,
            num_labels: None,
            problem_type: None,
        }
    }
}

const GELU: &str = "gelu";
const ABSOLUTE: &str = "absolute";
const SINGLE_LABEL: &str = "single_label_classification";

impl BertConfig {
    /// `bert-base-chinese` and RoBERTa-wwm-ext, the text tower of Chinese-CLIP base.
    pub fn base_chinese() -> Self {
        Self {
            vocab_size: 21_128,
            ..Self::default()
        }
    }

    /// A toy of two layers for tests and examples: 64 tokens, width 32, texts of 24 tokens.
    pub fn tiny() -> Self {
        Self {
            vocab_size: 64,
            hidden_size: 32,
            num_hidden_layers: 2,
            num_attention_heads: 4,
            intermediate_size: 64,
            max_position_embeddings: 24,
            ..Self::default()
        }
    }

    /// The names of a classifier's labels, by their number.
    ///
    /// # Errors
    /// [`LlmError::Config`] for fewer than two labels or absurdly many, or when `id2label` leaves a
    /// number out.
    pub fn labels(&self) -> Result<Vec<String>, LlmError> {
        let count = match (&self.id2label, self.num_labels) {
            (Some(names), _) => names.len(),
            (None, count) => count.unwrap_or(2),
        };
        let possible = (2..=MAX_COUNT).contains(&count);
        require(possible, "num_labels", count, "2 to 65536")?;
        let name = |number| match &self.id2label {
            None => Ok(format!("LABEL_{number}")),
            Some(names) => names.get(&number).cloned().ok_or_else(|| LlmError::Config {
                key: "id2label",
                value: format!("{names:?}"),
                allowed: "a name for each number from 0",
            }),
        };
        (0..count).map(name).collect()
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
            ("num_attention_heads", self.num_attention_heads),
            ("intermediate_size", self.intermediate_size),
            ("max_position_embeddings", self.max_position_embeddings),
            ("type_vocab_size", self.type_vocab_size),
        ])?;
        check_layers("num_hidden_layers", self.num_hidden_layers)?;
        check_eps("layer_norm_eps", self.layer_norm_eps)?;
        let (width, positions) = (self.hidden_size, self.max_position_embeddings);
        let divides = width.is_multiple_of(self.num_attention_heads);
        require(
            divides,
            "hidden_size",
            width,
            "a multiple of num_attention_heads",
        )?;
        // The first and the last token are none of the text's.
        require(
            positions > 2,
            "max_position_embeddings",
            positions,
            "3 or more",
        )?;
        let (act, positions) = (&self.hidden_act, &self.position_embedding_type);
        require(act == GELU, "hidden_act", act, GELU)?;
        require(
            positions == ABSOLUTE,
            "position_embedding_type",
            positions,
            ABSOLUTE,
        )?;
        let problem = self.problem_type.as_deref().unwrap_or(SINGLE_LABEL);
        require(
            problem == SINGLE_LABEL,
            "problem_type",
            problem,
            SINGLE_LABEL,
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parse(json: Value) -> BertConfig {
        serde_json::from_value(json).unwrap()
    }

    fn wrong_key(json: Value) -> &'static str {
        match parse(json).validate() {
            Err(LlmError::Config { key, .. }) => key,
            other => panic!("expected a configuration error, got {other:?}"),
        }
    }

    #[test]
    fn published_configurations_are_understood() {
        let config = parse(json!({
            "architectures": ["BertForSequenceClassification"],
            "attention_probs_dropout_prob": 0.1, "directionality": "bidi", "hidden_act": "gelu",
            "hidden_size": 768, "layer_norm_eps": 1e-12, "model_type": "bert", "pad_token_id": 0,
            "position_embedding_type": "absolute", "problem_type": "single_label_classification",
            "torch_dtype": "float32", "vocab_size": 21128
        }));
        config.validate().unwrap();
        let expected = BertConfig {
            problem_type: config.problem_type.clone(),
            ..BertConfig::base_chinese()
        };
        assert_eq!(config, expected);
        assert_eq!(config.labels().unwrap(), ["LABEL_0", "LABEL_1"]);
    }

    #[test]
    fn labels_have_names() {
        let labels = |json| parse(json).labels();
        let named = json!({"id2label": {"1": "no", "0": "yes", "2": "maybe"}, "num_labels": 9});
        assert_eq!(labels(named).unwrap(), ["yes", "no", "maybe"]);
        let counted = json!({"num_labels": 3});
        assert_eq!(labels(counted).unwrap()[2], "LABEL_2");
        assert!(labels(json!({"num_labels": 1})).is_err());
        assert!(labels(json!({"id2label": {"0": "yes", "2": "no"}})).is_err());
    }

    #[test]
    fn what_is_not_supported_is_named() {
        assert!(BertConfig::tiny().validate().is_ok());
        assert_eq!(wrong_key(json!({"hidden_size": 0})), "hidden_size");
        assert_eq!(wrong_key(json!({"num_attention_heads": 7})), "hidden_size");
        assert_eq!(wrong_key(json!({"hidden_act": "relu"})), "hidden_act");
        let relative = json!({"position_embedding_type": "relative_key"});
        assert_eq!(wrong_key(relative), "position_embedding_type");
        let several = json!({"problem_type": "multi_label_classification"});
        assert_eq!(wrong_key(several), "problem_type");
        let short = json!({"max_position_embeddings": 2});
        assert_eq!(wrong_key(short), "max_position_embeddings");
    }

    #[test]
    fn absurd_sizes_are_refused_before_anything_is_made_of_them() {
        for key in [
            "vocab_size",
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "intermediate_size",
            "max_position_embeddings",
            "type_vocab_size",
        ] {
            assert_eq!(wrong_key(json!({key: 4e18 as u64})), key);
        }
        for eps in [-1e-5, 0.0, f64::NAN, f64::INFINITY] {
            let config = BertConfig {
                layer_norm_eps: eps,
                ..BertConfig::tiny()
            };
            let error = config.validate().unwrap_err().to_string();
            assert!(error.contains("layer_norm_eps"), "{error}");
        }
        let labels = parse(json!({"num_labels": 4e18 as u64})).labels();
        assert!(labels.unwrap_err().to_string().contains("2 to 65536"));
    }
}
