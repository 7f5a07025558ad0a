//! The tree of texts that a prompt is.

use rand::Rng;
use rand::seq::SliceRandom;
use serde_json::Value;

use super::{ANSWER_KEY, MAX_NESTING, PICTURE_KEY};
use crate::LlmError;

/// A prompt, or a part of one. Keys and texts are markup (see [`crate::tokenizer`]).
///
/// ```
/// use mpm_llm::prompt::PromptValue;
///
/// let prompt = PromptValue::from([("question", "2 + 3 = ?"), ("<ans>", "5")]);
/// let json: serde_json::Value =
///     serde_json::from_str(r#"{"question": "2 + 3 = ?", "<ans>": "5"}"#)?;
/// assert_eq!(PromptValue::try_from(&json)?, prompt);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PromptValue {
    /// A text.
    Text(String),
    /// Named parts; their order is the order of the model's input.
    Map(Vec<(String, PromptValue)>),
}

impl PromptValue {
    /// The prompt of VisCPM-Chat: `picture_slots` times `<unk>` below `image` (no such key for 0),
    /// then `context`, `question` and `<ans>`, in this order. All texts are markup.
    pub fn chat(picture_slots: usize, context: &str, question: &str, answer: &str) -> Self {
        let picture = (picture_slots > 0).then(|| (PICTURE_KEY, "<unk>".repeat(picture_slots)));
        let texts = [
            ("context", context),
            ("question", question),
            (ANSWER_KEY, answer),
        ];
        picture
            .into_iter()
            .chain(texts.map(|(key, text)| (key, text.to_owned())))
            .collect()
    }

    /// The value of a key of this map.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Text(_) => None,
            Self::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
        }
    }

    /// Puts the answers of all maps below `<ans>` in random order, so that a model in training does
    /// not learn one order by heart.
    pub fn shuffle_answers(&mut self, rng: &mut impl Rng) {
        if let Self::Map(entries) = self {
            for (_, answer) in entries.iter_mut().filter(|(key, _)| key == ANSWER_KEY) {
                answer.shuffle(rng);
            }
        }
    }

    fn shuffle(&mut self, rng: &mut impl Rng) {
        if let Self::Map(entries) = self {
            entries.shuffle(rng);
            for (_, value) in entries {
                value.shuffle(rng);
            }
        }
    }

    fn from_json(value: &Value, path: &mut Vec<String>) -> Result<Self, LlmError> {
        let found = match value {
            Value::String(text) => return Ok(Self::Text(text.clone())),
            Value::Object(_) if path.len() >= MAX_NESTING => {
                return Err(LlmError::PromptSize {
                    what: "levels",
                    limit: MAX_NESTING,
                });
            }
            Value::Object(map) => {
                return map
                    .iter()
                    .map(|(key, value)| {
                        path.push(key.clone());
                        let value = Self::from_json(value, path)?;
                        path.pop();
                        Ok((key.clone(), value))
                    })
                    .collect::<Result<_, _>>()
                    .map(Self::Map);
            }
            Value::Null => "null",
            Value::Bool(_) => "a truth value",
            Value::Number(_) => "a number",
            Value::Array(_) => "a list",
        };
        Err(LlmError::PromptType {
            path: path.join("."),
            found,
        })
    }
}

impl TryFrom<&Value> for PromptValue {
    type Error = LlmError;

    /// Takes a JSON object or string. The order of keys is kept.
    fn try_from(value: &Value) -> Result<Self, LlmError> {
        Self::from_json(value, &mut Vec::new())
    }
}

impl From<&str> for PromptValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for PromptValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl<K: Into<String>, V: Into<PromptValue>> FromIterator<(K, V)> for PromptValue {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        )
    }
}

impl<K: Into<String>, V: Into<PromptValue>, const N: usize> From<[(K, V); N]> for PromptValue {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;
    use serde_json::json;

    use super::*;

    #[test]
    fn only_texts_and_maps_are_prompts() {
        let error = PromptValue::try_from(&json!({"a": {"b": [1]}})).expect_err("a list");
        assert_eq!(
            error.to_string(),
            "the prompt has a list at `a.b`; expected a text or a map of texts"
        );
    }

    #[test]
    fn shuffling_moves_answers_only() {
        let keys = |value: &PromptValue| match value {
            PromptValue::Map(entries) => entries.iter().map(|(k, _)| k.clone()).collect(),
            PromptValue::Text(_) => Vec::new(),
        };
        let letters: PromptValue = ('a'..='z').map(|c| (c, "x")).collect();
        let prompt = PromptValue::from([("input", letters.clone()), ("<ans>", letters)]);
        let mut shuffled = prompt.clone();
        shuffled.shuffle_answers(&mut ChaCha8Rng::seed_from_u64(1));
        assert_eq!(shuffled.get("input"), prompt.get("input"));
        let (before, after) = (&prompt.get("<ans>"), &shuffled.get("<ans>"));
        let (before, mut after): (Vec<_>, Vec<_>) = (
            before.map(keys).expect("kept"),
            after.map(keys).expect("kept"),
        );
        assert_ne!(before, after);
        after.sort();
        assert_eq!(before, after);
    }
}
