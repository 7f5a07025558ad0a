//! From texts in templates to tokens.

use super::{TextBatch, TextTemplate};
use crate::{Family, LlmError};

/// A tokenizer that puts texts into templates.
///
/// It is implemented by [`CpmBeeTokenizer`](crate::tokenizer::CpmBeeTokenizer), by
/// [`LlamaText`](crate::llama::LlamaText), and by [`AnyTokenizer`](crate::any::AnyTokenizer), which
/// is one of them.
pub trait TemplateTokenizer {
    /// The [`LanguageModel::Input`](crate::LanguageModel::Input) of its model.
    type Input;

    /// Whose templates it reads.
    fn family(&self) -> Family;

    /// Encodes texts in a template. What is written in a text is plain: neither markup nor the
    /// names of special tokens mean anything there, as they do in the template.
    ///
    /// # Errors
    /// [`LlmError::OtherTemplate`] for a template of the other family, [`LlmError::TemplatePlaces`]
    /// for one that has not one place for the text, [`LlmError::EmptyBatch`] without texts,
    /// [`LlmError::NothingToRead`] for an empty text with nothing around it, and what is wrong with
    /// the template's markup.
    fn encode_texts(
        &self,
        template: &TextTemplate,
        texts: &[&str],
    ) -> Result<TextBatch<Self::Input>, LlmError>;
}
