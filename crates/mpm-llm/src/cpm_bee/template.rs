//! Texts in templates, as CPM-Bee reads them: one of the texts of a map.

use super::CpmBeeInput;
use crate::{
    Family, LlmError,
    prompt::{Collator, EncodedPrompt, PromptEncoder, PromptValue},
    template::{TEXT, TemplateTokenizer, TextBatch, TextTemplate, TextTokens},
    tokenizer::{CpmBeeTokenizer, escape},
};

impl TemplateTokenizer for CpmBeeTokenizer {
    type Input = CpmBeeInput;

    fn family(&self) -> Family {
        Family::CpmBee
    }

    fn encode_texts(
        &self,
        template: &TextTemplate,
        texts: &[&str],
    ) -> Result<TextBatch<CpmBeeInput>, LlmError> {
        let parts = template.as_parts()?;
        let encoder = PromptEncoder::new(self);
        let (mut prompts, mut tokens) = (Vec::new(), Vec::new());
        for text in texts {
            let prompt = encoder.encode(&fill(parts, text))?;
            tokens.push(tokens_of(&prompt, parts, self.eos_id()));
            prompts.push(prompt);
        }
        let longest = tokens.iter().map(TextTokens::len).max().unwrap_or(0);
        let batch = Collator::new(self, longest).collate(&prompts)?;
        Ok(TextBatch {
            input: batch.into(),
            texts: tokens,
        })
    }
}

fn fill(parts: &[(String, String)], text: &str) -> PromptValue {
    let filled = parts.iter().map(|(key, part)| match part.as_str() {
        TEXT => (key.as_str(), escape(text).into_owned()),
        markup => (key.as_str(), markup.to_owned()),
    });
    filled.collect()
}

/// The places of the text in its prompt.
fn tokens_of(prompt: &EncodedPrompt, parts: &[(String, String)], eos: i32) -> TextTokens {
    let place = parts.iter().position(|(_, text)| text == TEXT).unwrap_or(0);
    // The root has the first segment, and each part one for its key and one for its text.
    let segment = 2 * place as i32 + 2;
    let begin = prompt.segment_ids.partition_point(|&other| other < segment);
    let end = prompt
        .segment_ids
        .partition_point(|&other| other <= segment);
    // `<s>` opens a segment, and `</s>` closes it unless it is an answer's.
    let closed = usize::from(prompt.ids[begin + 1..end].last() == Some(&eos));
    TextTokens {
        own: begin + 1..end - closed,
        behind: end..prompt.len(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::tokenizer::Vocabulary;

    const NOTHING: [Vec<i32>; 2] = [vec![], vec![]];

    fn tokenizer() -> CpmBeeTokenizer {
        let file =
            b"<pad>\n<unk>\n<mask>\n<sep>\n</n>\n</_>\n<s>\n</s>\n<root>\n<ans>\nq\nwhy\nso\n";
        CpmBeeTokenizer::new(Vocabulary::parse(file).unwrap()).unwrap()
    }

    /// The text's own tokens, and those behind it.
    fn read(parts: &[(&str, &str)], text: &str) -> [Vec<i32>; 2] {
        let template = TextTemplate::parts(parts);
        let batch = tokenizer().encode_texts(&template, &[text]).unwrap();
        let TextTokens { own, behind } = batch.texts[0].clone();
        [own, behind].map(|tokens| batch.input.ids[tokens].to_vec())
    }

    #[test]
    fn a_text_has_its_own_tokens_and_those_behind_it() {
        // <s> <root> </s> <s> q </s> <s> why so </s> <s> so </s> <s> </s>
        let parts = [("q", "{text}"), ("so", "")];
        let behind = vec![6, 12, 7, 6, 7];
        assert_eq!(read(&parts, "whyso"), [vec![11, 12], behind.clone()]);
        assert_eq!(read(&parts, ""), [vec![], behind]);
        let last = [("so", "why"), ("q", "{text}")];
        assert_eq!(read(&last, "whyso"), [vec![11, 12], vec![]]);
        assert_eq!(read(&last, ""), NOTHING);
        let answer = [("q", "why"), ("<ans>", "{text}")];
        assert_eq!(read(&answer, "so"), [vec![12], vec![]]);
        assert_eq!(read(&answer, ""), NOTHING);
    }

    #[test]
    fn a_text_is_no_markup() {
        let parts = [("q", "{text}")];
        assert_eq!(read(&parts, "<why>so")[0], [1, 11, 1, 12]);
        assert_eq!(read(&parts, "{text}")[0], [1]);
    }

    #[test]
    fn rows_are_padded_on_the_right() {
        let template = TextTemplate::parts(&[("q", "{text}"), ("so", "")]);
        let batch = tokenizer().encode_texts(&template, &["whyso", ""]).unwrap();
        assert_eq!([batch.input.batch, batch.input.seq_len], [2, 15]);
        assert_eq!(batch.input.length, [15, 13]);
        assert_eq!(batch.texts.iter().map(TextTokens::len).max(), Some(15));
        let none = tokenizer().encode_texts(&template, &[]);
        assert!(matches!(none, Err(LlmError::EmptyBatch)));
    }

    #[test]
    fn unsound_templates_are_errors() {
        let encode = |template: TextTemplate| tokenizer().encode_texts(&template, &["so"]);
        assert!(matches!(
            encode(TextTemplate::parts(&[("q", "why")])),
            Err(LlmError::TemplatePlaces { places: 0, .. })
        ));
        assert!(matches!(
            encode(TextTemplate::default_of(Family::Llama)),
            Err(LlmError::OtherTemplate { .. })
        ));
    }
}
