//! A conversation about a picture.

use std::ops::ControlFlow;

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;
use mpm_data::picture::Picture;
use mpm_llm::{
    any::AnyChat,
    decoding::{DecodingParams, FinishReason},
};
use mpm_vision::clip::SafetyReport;
use serde::Serialize;

use crate::{ChatError, ChatModel, PictureCheck};

/// Turns of questions and answers about one picture.
///
/// The picture is encoded once. What the language model has read of earlier turns, one of the LLaMA
/// family remembers; CPM-Bee, which reads in both directions, reads the whole prompt anew.
pub struct ChatSession<'m, B: Backend> {
    model: &'m ChatModel<B>,
    picture_check: Option<&'m PictureCheck<B>>,
    chat: AnyChat<'m, B>,
}

/// An answer and how it came about.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// Plain text.
    pub answer: String,
    /// Why it ended: `eos`, `max_tokens`, `stop_string` or `cancelled`.
    pub finish: &'static str,
    /// Tokens of the answer, its end included.
    pub tokens: usize,
    /// Tokens of the prompt, the picture's included.
    pub prompt_tokens: usize,
    /// The oldest turns that did not fit into the prompt.
    pub dropped_turns: usize,
}

impl<'m, B: MpmBackend> ChatSession<'m, B> {
    /// A conversation without a picture.
    ///
    /// # Errors
    /// [`ChatError::Llm`] for a language model that was not trained to chat.
    pub fn new(model: &'m ChatModel<B>) -> Result<Self, ChatError> {
        let limit = model.config.max_prompt_tokens;
        Ok(Self {
            model,
            picture_check: None,
            chat: AnyChat::new(&model.model.llm, &model.tokenizer, limit)?,
        })
    }

    /// The same conversation, in which pictures are checked before they are shown.
    #[must_use]
    pub fn with_picture_check(self, check: &'m PictureCheck<B>) -> Self {
        Self {
            picture_check: Some(check),
            ..self
        }
    }

    /// Shows another picture and forgets the turns about the one before.
    ///
    /// # Errors
    /// [`ChatError::PictureRefused`] when the check flags it, [`ChatError::Vision`] when the
    /// encoder refuses it. The picture and the turns are then as before.
    pub fn show(&mut self, picture: &Picture) -> Result<(), ChatError> {
        if let Some(check) = self.picture_check {
            let reports = check.check(std::slice::from_ref(picture))?;
            if let Some(report) = reports.into_iter().find(SafetyReport::is_flagged) {
                return Err(ChatError::PictureRefused { report });
            }
        }
        let pixels = self.model.config.preprocessing.apply(picture);
        self.show_features(self.model.model.encode_pictures(&[pixels])?);
        Ok(())
    }

    /// Shows a picture whose features `[1, slots, d_llm]` come from elsewhere: an
    /// earlier [`encode_pictures`](crate::VisCpmChat::encode_pictures), another encoder. What they
    /// were made of is not checked.
    pub fn show_features(&mut self, features: Tensor<B, 3>) {
        self.chat.show(features);
    }

    /// Forgets all turns; the picture stays.
    pub fn reset(&mut self) {
        self.chat.reset();
    }

    /// Adds a turn that took place elsewhere: plain texts.
    pub fn remember(&mut self, question: &str, answer: &str) {
        self.chat.remember(question, answer);
    }

    /// Asks a question in plain text. `on_text` gets the answer as it grows and
    /// may break it off; what came so far is the answer then.
    ///
    /// # Errors
    /// [`ChatError::EmptyQuestion`] when nothing is asked, [`ChatError::Llm`] when the
    /// question alone is too long for the model or a parameter is out of its range.
    /// The conversation is then as before.
    pub fn ask(
        &mut self,
        question: &str,
        params: &DecodingParams,
        mut on_text: impl FnMut(&str) -> ControlFlow<()>,
    ) -> Result<Answer, ChatError> {
        if question.trim().is_empty() {
            return Err(ChatError::EmptyQuestion);
        }
        let answer = self
            .chat
            .ask(question, params, |piece| on_text(piece.text))?;
        Ok(Answer {
            answer: answer.text().to_owned(),
            finish: match answer.generation.finish {
                FinishReason::Eos => "eos",
                FinishReason::MaxTokens => "max_tokens",
                FinishReason::StopString => "stop_string",
                FinishReason::Cancelled => "cancelled",
            },
            tokens: answer.generation.tokens.len(),
            prompt_tokens: answer.prompt_tokens,
            dropped_turns: answer.dropped_turns,
        })
    }
}
