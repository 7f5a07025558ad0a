//! Texts in templates.

use super::{AnyInput, AnyTokenizer};
use crate::{
    Family, LlmError,
    template::{TemplateTokenizer, TextBatch, TextTemplate},
};

impl TemplateTokenizer for AnyTokenizer {
    type Input = AnyInput;

    fn family(&self) -> Family {
        match self {
            Self::CpmBee(_) => Family::CpmBee,
            Self::Llama(_) => Family::Llama,
        }
    }

    fn encode_texts(
        &self,
        template: &TextTemplate,
        texts: &[&str],
    ) -> Result<TextBatch<AnyInput>, LlmError> {
        Ok(match self {
            Self::CpmBee(tokenizer) => tokenizer
                .encode_texts(template, texts)?
                .map(AnyInput::CpmBee),
            Self::Llama(text) => text.encode_texts(template, texts)?.map(AnyInput::Llama),
        })
    }
}
