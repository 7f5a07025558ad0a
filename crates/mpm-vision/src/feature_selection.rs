//! Which of an encoder's states are its features.
//!
//! Source: LLaVA (<https://arxiv.org/abs/2304.08485>, section 4.1) and `models/llava` of Hugging
//! Face's `transformers`, whose names and values these are.

use burn::tensor::{Tensor, backend::Backend};
use serde::{Deserialize, Serialize};

use crate::{VisionError, check::require};

/// Which states of which layer a connector reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FeatureSelection {
    /// The states after so many layers, 0 for the tokens before the first, or counted from the
    /// end: -1 are those after the last layer and -2 those after the last but one. A norm behind
    /// the layers is not applied to them. `None` for the encoder's own output, with such a norm.
    pub vision_feature_layer: Option<i64>,
    /// Which tokens' states.
    pub vision_feature_select_strategy: SelectStrategy,
}

/// Which tokens of a picture have features.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum SelectStrategy {
    /// The patches, without a class token. `transformers` drops the first token of every encoder;
    /// here one without a class token keeps all of its patches.
    #[default]
    #[serde(rename = "default")]
    Patches,
    /// All, the class token first where there is one.
    #[serde(rename = "full")]
    All,
}

impl FeatureSelection {
    /// What LLaVA reads: the patches after the last layer but one.
    pub fn llava() -> Self {
        Self {
            vision_feature_layer: Some(-2),
            vision_feature_select_strategy: SelectStrategy::Patches,
        }
    }

    /// How many of `num_layers` layers a picture passes; `None` for the encoder's own output.
    ///
    /// # Errors
    /// [`VisionError::Config`] when there is no such layer.
    pub(crate) fn layers(&self, num_layers: usize) -> Result<Option<usize>, VisionError> {
        let Some(layer) = self.vision_feature_layer else {
            return Ok(None);
        };
        let distance = usize::try_from(layer.unsigned_abs()).unwrap_or(usize::MAX);
        let count = match layer < 0 {
            true => (num_layers + 1).checked_sub(distance),
            false => Some(distance),
        };
        let count = count.filter(|&count| count <= num_layers);
        require(count.is_some(), "vision_feature_layer", layer, || {
            let least = num_layers + 1;
            format!("the encoder has {num_layers} layers: it must be from -{least} to {num_layers}")
        })?;
        Ok(count)
    }

    /// Refuses the states of single layers, for an encoder that has its output only.
    ///
    /// # Errors
    /// [`VisionError::Config`] when a layer is chosen.
    pub(crate) fn require_output(&self) -> Result<(), VisionError> {
        match self.vision_feature_layer {
            None => Ok(()),
            Some(layer) => require(false, "vision_feature_layer", layer, || {
                "this encoder has its output only: leave the layer out".to_owned()
            }),
        }
    }

    /// The chosen ones of `[batch, class_tokens + patches, width]`.
    pub(crate) fn select<B: Backend>(
        &self,
        states: Tensor<B, 3>,
        class_tokens: usize,
    ) -> Tensor<B, 3> {
        let first = self.first_token(class_tokens);
        match first {
            0 => states,
            _ => {
                let count = states.dims()[1] - first;
                states.narrow(1, first, count)
            }
        }
    }

    /// Where the chosen tokens begin.
    pub(crate) fn first_token(&self, class_tokens: usize) -> usize {
        match self.vision_feature_select_strategy {
            SelectStrategy::Patches => class_tokens,
            SelectStrategy::All => 0,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    fn layers(layer: i64) -> Result<Option<usize>, VisionError> {
        let selection = FeatureSelection {
            vision_feature_layer: Some(layer),
            ..FeatureSelection::default()
        };
        selection.layers(24)
    }

    #[test]
    fn layers_count_from_both_ends() {
        assert_eq!(layers(-1), Ok(Some(24)));
        assert_eq!(layers(-2), Ok(Some(23)));
        assert_eq!(layers(-25), Ok(Some(0)));
        assert_eq!(layers(0), Ok(Some(0)));
        assert_eq!(layers(24), Ok(Some(24)));
        assert_eq!(FeatureSelection::default().layers(24), Ok(None));
    }

    #[test]
    fn a_layer_that_is_not_there_is_refused() {
        for layer in [25, -26, i64::MAX, i64::MIN] {
            let text = layers(layer).unwrap_err().to_string();
            assert!(text.contains(&layer.to_string()), "{text}");
            assert!(text.contains("from -25 to 24"), "{text}");
        }
    }

    #[test]
    fn values_are_those_of_transformers() {
        let parsed: FeatureSelection = serde_json::from_str(
            r#"{"vision_feature_layer": -2, "vision_feature_select_strategy": "default"}"#,
        )
        .unwrap();
        assert_eq!(parsed, FeatureSelection::llava());
        let all = serde_json::from_str(r#""full""#);
        assert_eq!(all.ok(), Some(SelectStrategy::All));
    }
}
