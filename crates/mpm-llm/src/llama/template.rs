//! Texts in templates, as a model of the family reads them: one text with another in it.

use super::{language_model::LlamaBatch, text::LlamaText};
use crate::{
    Family, LlmError,
    template::{TemplateTokenizer, TextBatch, TextTemplate, TextTokens},
};

impl TemplateTokenizer for LlamaText {
    type Input = LlamaBatch;

    fn family(&self) -> Family {
        Family::Llama
    }

    fn encode_texts(
        &self,
        template: &TextTemplate,
        texts: &[&str],
    ) -> Result<TextBatch<LlamaBatch>, LlmError> {
        let (before, behind) = template.as_line()?;
        let (mut rows, mut tokens) = (Vec::new(), Vec::new());
        for text in texts {
            let (ids, own) = self.tokenizer.encode_within(before, text, behind)?;
            if ids.is_empty() {
                // A row that is all padding has no states: its tokens see nobody.
                return Err(LlmError::NothingToRead {
                    example: TextTemplate::default_of(Family::Llama),
                });
            }
            tokens.push(TextTokens {
                behind: own.end..ids.len(),
                own,
            });
            rows.push(ids);
        }
        Ok(TextBatch {
            input: LlamaBatch::right_padded(rows)?,
            texts: tokens,
        })
    }
}
