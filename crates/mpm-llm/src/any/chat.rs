//! A conversation.

use std::ops::ControlFlow;

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;

use super::{AnyLlm, AnyTokenizer};
use crate::{
    Family, LlmError,
    cpm_bee::CpmBeeChat,
    decoding::{DecodingParams, Piece},
    dialogue::ChatAnswer,
    llama::LlamaChat,
};

/// A conversation with an [`AnyLlm`], about a picture or not.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "there are few of it")]
pub enum AnyChat<'a, B: Backend> {
    /// With CPM-Bee.
    CpmBee(CpmBeeChat<'a, B>),
    /// With a model of the LLaMA family.
    Llama(LlamaChat<'a, B>),
}

impl<'a, B: MpmBackend> AnyChat<'a, B> {
    /// An empty conversation, of which the model sees the newest `max_prompt_tokens` tokens.
    ///
    /// # Errors
    /// [`LlmError::OtherFamily`] for the tokenizer of another model, [`LlmError::NoChatTemplate`]
    /// for a model that was not trained to chat.
    pub fn new(
        model: &'a AnyLlm<B>,
        tokenizer: &'a AnyTokenizer,
        max_prompt_tokens: usize,
    ) -> Result<Self, LlmError> {
        match (model, tokenizer) {
            (AnyLlm::CpmBee(model), AnyTokenizer::CpmBee(tokenizer)) => Ok(Self::CpmBee(
                CpmBeeChat::new(model, tokenizer, max_prompt_tokens),
            )),
            (AnyLlm::Llama(model), AnyTokenizer::Llama(text)) => {
                Ok(Self::Llama(LlamaChat::new(model, text, max_prompt_tokens)?))
            }
            (AnyLlm::CpmBee(_), AnyTokenizer::Llama(_)) => Err(LlmError::OtherFamily {
                expected: Family::CpmBee,
                found: Family::Llama,
            }),
            (AnyLlm::Llama(_), AnyTokenizer::CpmBee(_)) => Err(LlmError::OtherFamily {
                expected: Family::Llama,
                found: Family::CpmBee,
            }),
        }
    }

    /// Shows a picture, `[1, slots, d_model]`, and forgets the turns about the one before.
    pub fn show(&mut self, features: Tensor<B, 3>) {
        match self {
            Self::CpmBee(chat) => chat.show(features),
            Self::Llama(chat) => chat.show(features),
        }
    }

    /// Forgets all turns; the picture stays.
    pub fn reset(&mut self) {
        match self {
            Self::CpmBee(chat) => chat.reset(),
            Self::Llama(chat) => chat.reset(),
        }
    }

    /// Adds a turn that took place elsewhere: plain texts.
    pub fn remember(&mut self, question: &str, answer: &str) {
        match self {
            Self::CpmBee(chat) => chat.remember(question, answer),
            Self::Llama(chat) => chat.remember(question, answer),
        }
    }

    /// Asks a question in plain text. The answer becomes a turn of the conversation, as far as it
    /// came.
    ///
    /// # Errors
    /// Those of [`CpmBeeChat::ask`] and [`LlamaChat::ask`]. The conversation is then as before.
    pub fn ask(
        &mut self,
        question: &str,
        params: &DecodingParams,
        on_piece: impl FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<ChatAnswer, LlmError> {
        match self {
            Self::CpmBee(chat) => chat.ask(question, params, on_piece),
            Self::Llama(chat) => chat.ask(question, params, on_piece),
        }
    }
}
