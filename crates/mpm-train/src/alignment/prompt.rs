//! How a sentence is written for the language model, and which states stand for it.

use std::ops::Range;

use mpm_llm::LlmError;
use mpm_llm::prompt::{EncodedPrompt, PromptEncoder, PromptValue};
use mpm_llm::tokenizer::{CpmBeeTokenizer, escape};
use serde::{Deserialize, Serialize};

use crate::TrainError;

/// Where the sentence comes in a prompt.
const TEXT: &str = "{text}";

/// The prompt that a sentence stands in.
///
/// Measure with the prompt that the model will be used with: the states of a sentence depend on
/// its key and on what stands around it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SentencePrompt {
    /// Keys and texts in the order of the model's input. One text is `{text}`, which stands for
    /// the sentence; the others are markup.
    pub parts: Vec<(String, String)>,
}

/// The prompt of VisCPM-Paint, `{"caption": "{text}", "objects": ""}`.
impl Default for SentencePrompt {
    fn default() -> Self {
        Self::new(&[("caption", TEXT), ("objects", "")])
    }
}

/// Which states become a sentence's vector.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// The mean of the sentence's own tokens.
    #[default]
    Mean,
    /// The sentence's last token.
    Last,
    /// The mean of the tokens behind the sentence, where a model may keep what it means.
    Behind,
}

impl SentencePrompt {
    /// A prompt of keys and texts.
    pub fn new(parts: &[(&str, &str)]) -> Self {
        let owned = |&(key, text): &(&str, &str)| (key.to_owned(), text.to_owned());
        Self {
            parts: parts.iter().map(owned).collect(),
        }
    }

    /// Checks that the sentence has one place, and something behind it where that is read.
    ///
    /// # Errors
    /// [`TrainError::Setting`].
    pub fn validate(&self, pooling: Pooling) -> Result<(), TrainError> {
        let places = self.parts.iter().filter(|(_, text)| text == TEXT).count();
        let setting = |value, expected| TrainError::Setting {
            name: "prompt",
            value,
            expected,
        };
        if places != 1 {
            let value = format!("a prompt with {places} places for the sentence");
            return Err(setting(value, "one in which exactly one text is `{text}`"));
        }
        if pooling == Pooling::Behind && self.place() + 1 == self.parts.len() {
            let value = "a prompt that ends with the sentence".to_owned();
            return Err(setting(
                value,
                "one with a part behind it, or the pooling another than `behind`",
            ));
        }
        Ok(())
    }

    /// Encodes a sentence, of which nothing is taken for markup. Returns the tokens whose states
    /// stand for it; none for an empty sentence, unless those behind it are read.
    pub(super) fn encode(
        &self,
        tokenizer: &CpmBeeTokenizer,
        sentence: &str,
        pooling: Pooling,
    ) -> Result<(EncodedPrompt, Range<usize>), LlmError> {
        let encoder = PromptEncoder::new(tokenizer);
        let encoded = encoder.encode(&fill(&self.parts, sentence))?;
        let up_to_sentence = encoder.encode(&fill(&self.parts[..=self.place()], sentence))?;
        let end = up_to_sentence.len();
        if pooling == Pooling::Behind {
            let behind = end..encoded.len();
            return Ok((encoded, behind));
        }
        let segment = encoded.segment_ids[end - 1];
        let begin = encoded.segment_ids.iter().position(|&s| s == segment);
        // Without the `<s>` and the `</s>` of its segment.
        let closed = usize::from(encoded.ids[end - 1] == tokenizer.eos_id());
        let own = begin.unwrap_or(end) + 1..end - closed;
        let read = match pooling {
            Pooling::Last if !own.is_empty() => own.end - 1..own.end,
            _ => own,
        };
        Ok((encoded, read))
    }

    /// The place of the sentence; the last one in a prompt without.
    fn place(&self) -> usize {
        let place = self.parts.iter().position(|(_, text)| text == TEXT);
        place.unwrap_or(self.parts.len().saturating_sub(1))
    }
}

fn fill(parts: &[(String, String)], sentence: &str) -> PromptValue {
    let filled = parts.iter().map(|(key, part)| match part.as_str() {
        TEXT => (key.as_str(), escape(sentence).into_owned()),
        markup => (key.as_str(), markup.to_owned()),
    });
    filled.collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use mpm_llm::tokenizer::Vocabulary;

    use super::*;

    fn tokenizer() -> CpmBeeTokenizer {
        let file =
            b"<pad>\n<unk>\n<mask>\n<sep>\n</n>\n</_>\n<s>\n</s>\n<root>\n<ans>\nq\nwhy\nso\n";
        CpmBeeTokenizer::new(Vocabulary::parse(file).unwrap()).unwrap()
    }

    fn read(prompt: &SentencePrompt, sentence: &str, pooling: Pooling) -> Vec<i32> {
        let (encoded, read) = prompt.encode(&tokenizer(), sentence, pooling).unwrap();
        encoded.ids[read].to_vec()
    }

    #[test]
    fn the_sentence_is_its_own_tokens() {
        // <s> <root> </s> <s> q </s> <s> why so </s> <s> so </s> <s> </s>
        let prompt = SentencePrompt::new(&[("q", "{text}"), ("so", "")]);
        assert_eq!(read(&prompt, "whyso", Pooling::Mean), [11, 12]);
        assert_eq!(read(&prompt, "whyso", Pooling::Last), [12]);
        assert_eq!(read(&prompt, "whyso", Pooling::Behind), [6, 12, 7, 6, 7]);
        for pooling in [Pooling::Mean, Pooling::Last] {
            assert!(read(&prompt, "", pooling).is_empty());
        }
        let prompt = SentencePrompt::new(&[("so", "why"), ("q", "{text}")]);
        assert_eq!(read(&prompt, "whyso", Pooling::Mean), [11, 12]);
    }

    #[test]
    fn a_sentence_is_no_markup() {
        let prompt = SentencePrompt::new(&[("q", "{text}")]);
        assert_eq!(read(&prompt, "<why>so", Pooling::Mean), [1, 11, 1, 12]);
    }

    #[test]
    fn prompts_without_a_place_or_with_nothing_to_read_are_errors() {
        for (parts, pooling, expected) in [
            (&[("q", "why")][..], Pooling::Mean, "with 0 places"),
            (&[("q", TEXT), ("so", TEXT)], Pooling::Mean, "with 2 places"),
            (&[("q", TEXT)], Pooling::Behind, "ends with the sentence"),
        ] {
            let error = SentencePrompt::new(parts).validate(pooling).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
        SentencePrompt::default().validate(Pooling::Behind).unwrap();
    }
}
