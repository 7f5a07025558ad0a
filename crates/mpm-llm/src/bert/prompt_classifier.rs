//! The check of prompts that VisCPM-Paint makes before it paints.

use std::{fmt, path::Path};

use burn::tensor::{DType, backend::Backend};
use mpm_core::{
    MpmBackend,
    pretrained::{CONFIG_FILE, PretrainedError, PretrainedFolder},
    weights::{LoadOptions, load},
};
use serde::{Deserialize, Serialize};

use super::{
    classifier::BertClassifier, config::BertConfig, input::BertInput, tokenizer::BertTokenizer,
};
use crate::LlmError;

/// Tokens that the windows of a long text share with the next, but half of a window at most: what
/// takes no more tokens is whole in one of them.
const WINDOW_OVERLAP: usize = 128;

/// When a prompt is refused: when its likeliest label is this one, and likelier than this.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BlockRule {
    /// The label of what is refused.
    pub label: String,
    /// A probability from 0 to 1 that the label's has to be above.
    pub threshold: f32,
}

impl Default for BlockRule {
    /// VisCPM-Paint's: `LABEL_1` with more than 0.75.
    fn default() -> Self {
        Self {
            label: "LABEL_1".to_owned(),
            threshold: 0.75,
        }
    }
}

/// A label and its probability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LabelScore {
    /// The label's name.
    pub label: String,
    /// Its probability; those of all labels add up to 1.
    pub score: f32,
}

/// What the classifier says about a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Classification {
    /// All labels, the likeliest first.
    pub labels: Vec<LabelScore>,
}

/// What becomes of a prompt.
#[derive(Clone, Debug, PartialEq)]
pub enum PromptVerdict {
    /// It may be painted.
    Allowed(Classification),
    /// It is refused, and why.
    Refused(PromptRefusal),
}

/// Why a prompt is refused.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PromptRefusal {
    /// What the classifier said.
    pub classification: Classification,
    /// The rule that this breaks.
    pub rule: BlockRule,
}

impl PromptVerdict {
    /// The reason, if the prompt is refused.
    pub fn refusal(&self) -> Option<&PromptRefusal> {
        match self {
            Self::Allowed(_) => None,
            Self::Refused(refusal) => Some(refusal),
        }
    }
}

impl fmt::Display for PromptRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BlockRule { label, threshold } = &self.rule;
        let scores = self.classification.labels.iter();
        let score = scores.map(|label| label.score).next().unwrap_or_default();
        write!(
            f,
            "the prompt was classified as {label} with probability {score:.3}, and {threshold} is \
             the most that is allowed; say it in another way"
        )
    }
}

impl BlockRule {
    /// Judges what a classifier said.
    pub fn judge(&self, classification: Classification) -> PromptVerdict {
        let (breaks_rule, _) = self.harm(&classification);
        if breaks_rule {
            return PromptVerdict::Refused(PromptRefusal {
                classification,
                rule: self.clone(),
            });
        }
        PromptVerdict::Allowed(classification)
    }

    /// Whether a classification breaks the rule, and how likely the rule's label is: the larger the
    /// pair, the worse.
    fn harm(&self, classification: &Classification) -> (bool, f32) {
        let labels = &classification.labels;
        let place = labels.iter().position(|found| found.label == self.label);
        let score = place.map_or(0.0, |place| labels[place].score);
        (place == Some(0) && score > self.threshold, score)
    }

    /// Checks that the rule can ever refuse something.
    fn validate(&self, labels: &[String]) -> Result<(), LlmError> {
        if !labels.contains(&self.label) {
            return Err(LlmError::UnknownLabel {
                label: self.label.clone(),
                labels: labels.to_vec(),
            });
        }
        let threshold = self.threshold;
        match (0.0..=1.0).contains(&threshold) {
            true => Ok(()),
            false => Err(LlmError::Threshold { threshold }),
        }
    }
}

/// A classifier of prompts with its tokenizer and its rule.
///
/// A text that is longer than the model can read is read in windows. Those that follow each other
/// share 128 tokens or more, or half of their tokens where the model reads fewer than 258. The worst
/// window counts: one that breaks the rule if there is any, then the one in which the rule's label
/// is likeliest.
#[derive(Clone, Debug)]
pub struct PromptClassifier<B: Backend> {
    model: BertClassifier<B>,
    tokenizer: BertTokenizer,
    labels: Vec<String>,
    rule: BlockRule,
}

impl<B: Backend> PromptClassifier<B> {
    /// Loads a folder such as `text-security-checker` of `openbmb/VisCPM-Paint`: `config.json`, the
    /// weights as `model.safetensors` or `pytorch_model.bin`, and the tokenizer, see
    /// [`BertTokenizer::open`].
    ///
    /// The keys of `options` are not used: this module knows the names.
    ///
    /// # Errors
    /// [`PretrainedError`] names the file and what is missing or wrong; a rule whose label the model
    /// does not have, or whose threshold is no probability, is wrong, too.
    pub fn open(
        folder: impl AsRef<Path>,
        rule: BlockRule,
        device: &B::Device,
        options: &LoadOptions,
    ) -> Result<Self, PretrainedError> {
        let folder = PretrainedFolder::open(folder)?;
        let config: BertConfig = folder.config()?;
        let unusable = |error: LlmError| folder.unusable(CONFIG_FILE, error);
        let model = BertClassifier::new(&config, device).map_err(unusable)?;
        let labels = config.labels().map_err(unusable)?;
        rule.validate(&labels).map_err(unusable)?;
        let tokenizer = BertTokenizer::open(&folder, &config)?;
        let options = LoadOptions {
            keys: BertClassifier::<B>::checkpoint_keys(&config),
            ..options.clone()
        };
        Ok(Self {
            model: load(model, &folder.weights()?, &options)?,
            tokenizer,
            labels,
            rule,
        })
    }
}

impl<B: MpmBackend> PromptClassifier<B> {
    /// Applies the rule to a text.
    ///
    /// # Errors
    /// As [`classify`](Self::classify).
    pub fn check(&self, text: &str) -> Result<PromptVerdict, LlmError> {
        Ok(self.rule.judge(self.classify(text)?))
    }

    /// The probabilities of all labels for a text, or for the worst window of a long one.
    ///
    /// # Errors
    /// [`LlmError::Tokenization`], and [`LlmError::BrokenLogits`] where NaN would pass for
    /// harmless.
    pub fn classify(&self, text: &str) -> Result<Classification, LlmError> {
        let mut worst: Option<Classification> = None;
        // One by one, so that a long text takes no more memory than a short one.
        for window in self.tokenizer.windows(text, WINDOW_OVERLAP)? {
            let found = self.classify_window(&window)?;
            let harm = self.rule.harm(&found);
            if worst
                .as_ref()
                .is_none_or(|worst| harm > self.rule.harm(worst))
            {
                worst = Some(found);
            }
        }
        worst.ok_or(LlmError::EmptyBatch)
    }

    fn classify_window(&self, window: &BertInput) -> Result<Classification, LlmError> {
        let logits = self.model.logits(window)?;
        let logits: Vec<f32> = logits.cast(DType::F32).into_data().iter().collect();
        let scores = softmax(&logits)?;
        let labels = self.labels.iter().cloned().zip(scores);
        let mut labels: Vec<LabelScore> = labels
            .map(|(label, score)| LabelScore { label, score })
            .collect();
        labels.sort_by(|left, right| right.score.total_cmp(&left.score));
        Ok(Classification { labels })
    }
}

fn softmax(logits: &[f32]) -> Result<Vec<f32>, LlmError> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let weights: Vec<f32> = logits.iter().map(|logit| (logit - largest).exp()).collect();
    let sum: f32 = weights.iter().sum();
    match sum.is_nan() {
        true => Err(LlmError::BrokenLogits),
        false => Ok(weights.into_iter().map(|weight| weight / sum).collect()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn classification<const N: usize>(scores: [(&str, f32); N]) -> Classification {
        let labels = scores.map(|(label, score)| LabelScore {
            label: label.to_owned(),
            score,
        });
        Classification {
            labels: labels.to_vec(),
        }
    }

    #[test]
    fn only_the_top_label_above_the_threshold_refuses() {
        let rule = BlockRule::default();
        let refused = |scores| rule.judge(classification(scores)).refusal().is_some();
        assert!(refused([("LABEL_1", 0.76), ("LABEL_0", 0.24)]));
        assert!(!refused([("LABEL_1", 0.75), ("LABEL_0", 0.25)]));
        assert!(!refused([("LABEL_0", 0.9), ("LABEL_1", 0.1)]));
        let strict = BlockRule {
            threshold: 0.05,
            ..BlockRule::default()
        };
        let top_is_harmless = classification([("LABEL_0", 0.9), ("LABEL_1", 0.1)]);
        assert!(strict.judge(top_is_harmless).refusal().is_none());
    }

    #[test]
    fn what_breaks_the_rule_is_worse_than_what_only_comes_near() {
        let rule = BlockRule {
            label: "bad".to_owned(),
            threshold: 0.3,
        };
        let harm = |scores| rule.harm(&classification(scores));
        let broken = harm([("bad", 0.4), ("good", 0.35), ("odd", 0.25)]);
        let near = harm([("good", 0.5), ("bad", 0.45), ("odd", 0.05)]);
        let far = harm([("good", 0.9), ("odd", 0.08), ("bad", 0.02)]);
        assert_eq!((broken, near), ((true, 0.4), (false, 0.45)));
        assert!(broken > near && near > far);
    }

    #[test]
    fn a_refusal_says_why() {
        let verdict =
            BlockRule::default().judge(classification([("LABEL_1", 0.875), ("LABEL_0", 0.125)]));
        let text = verdict.refusal().unwrap().to_string();
        assert!(
            text.contains("LABEL_1 with probability 0.875, and 0.75 is the most"),
            "{text}"
        );
    }

    #[test]
    fn a_rule_that_never_refuses_is_wrong() {
        let labels = ["LABEL_0", "LABEL_1"].map(str::to_owned);
        let rule = |label: &str, threshold| BlockRule {
            label: label.to_owned(),
            threshold,
        };
        assert!(rule("LABEL_1", 0.0).validate(&labels).is_ok());
        let text = rule("unsafe", 0.5)
            .validate(&labels)
            .unwrap_err()
            .to_string();
        assert!(
            text.contains("`unsafe`") && text.contains("LABEL_0"),
            "{text}"
        );
        for threshold in [-0.1, 1.5, f32::NAN] {
            assert!(rule("LABEL_1", threshold).validate(&labels).is_err());
        }
    }

    #[test]
    fn broken_logits_do_not_pass_for_harmless() {
        assert_eq!(softmax(&[1e30, 0.0]).unwrap(), [1.0, 0.0]);
        for logits in [
            [f32::NAN, 0.0],
            [f32::INFINITY, 0.0],
            [f32::NEG_INFINITY; 2],
        ] {
            assert!(
                matches!(softmax(&logits), Err(LlmError::BrokenLogits)),
                "{logits:?}"
            );
        }
    }
}
