//! A conversation with CPM-Bee.

use std::ops::ControlFlow;

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;

use super::{AnswerTokens, CpmBee, CpmBeePrompt, CpmBeeSession};
use crate::{
    LlmError,
    decoding::{DecodingParams, Piece, generate},
    dialogue::ChatAnswer,
    prompt::{Conversation, InferenceBatch, PromptEncoder, PromptLimits},
    tokenizer::{CpmBeeTokenizer, escape},
};

/// A conversation, about a picture or not.
///
/// CPM-Bee attends over the whole prompt in both directions, so a turn changes the states of all
/// turns before it: every question reads the whole prompt anew, as the reference does.
#[derive(Debug)]
pub struct CpmBeeChat<'a, B: Backend> {
    model: &'a CpmBee<B>,
    tokenizer: &'a CpmBeeTokenizer,
    max_prompt_tokens: usize,
    features: Option<Tensor<B, 3>>,
    conversation: Conversation,
}

impl<'a, B: MpmBackend> CpmBeeChat<'a, B> {
    /// An empty conversation, of which the model sees the newest `max_prompt_tokens` tokens.
    pub fn new(
        model: &'a CpmBee<B>,
        tokenizer: &'a CpmBeeTokenizer,
        max_prompt_tokens: usize,
    ) -> Self {
        Self {
            model,
            tokenizer,
            max_prompt_tokens,
            features: None,
            conversation: Conversation::new(),
        }
    }

    /// Shows a picture, `[1, slots, d_model]`, and forgets the turns about the one before.
    pub fn show(&mut self, features: Tensor<B, 3>) {
        self.features = Some(features);
        self.reset();
    }

    /// Forgets all turns; the picture stays.
    pub fn reset(&mut self) {
        self.conversation.clear();
    }

    /// Adds a turn that took place elsewhere: plain texts.
    pub fn remember(&mut self, question: &str, answer: &str) {
        self.conversation.push(question, escape(answer));
    }

    /// Asks a question in plain text. The answer becomes a turn of the conversation, as far as it
    /// came.
    ///
    /// `on_piece` is called as [`generate`] calls it.
    ///
    /// # Errors
    /// Those of [`Conversation::prompt`] and of [`generate`]. The conversation is then as before.
    pub fn ask(
        &mut self,
        question: &str,
        params: &DecodingParams,
        on_piece: impl FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<ChatAnswer, LlmError> {
        params.validate()?;
        let encoder = PromptEncoder::new(self.tokenizer);
        let features = self.features.as_ref();
        let limits = PromptLimits {
            max_tokens: self.max_prompt_tokens,
            picture_slots: features.map_or(0, |features| features.dims()[1]),
        };
        let fitted = self.conversation.prompt(&encoder, question, limits)?;
        let batch = InferenceBatch::new(&encoder, [&fitted.prompt], None)?;
        let ext_table = &batch.rows[0].ext_table;
        let mut session = CpmBeeSession::new(
            self.model,
            CpmBeePrompt::from_batch(&batch).remove(0),
            self.features.clone(),
            AnswerTokens::from(self.tokenizer),
            params.max_new_tokens,
        )?;
        let bytes_of = |id| {
            let text = self.tokenizer.plain_id(id, ext_table)?;
            Ok(text.as_bytes().to_vec())
        };
        let generation = generate(&mut session, params, bytes_of, on_piece)?;
        let answer = ChatAnswer {
            generation,
            prompt_tokens: batch.seq,
            tokens_read: batch.seq,
            dropped_turns: fitted.dropped_turns,
        };
        self.remember(question, answer.text());
        Ok(answer)
    }
}
