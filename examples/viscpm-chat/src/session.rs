//! A conversation about a picture.

use std::ops::ControlFlow;

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;
use mpm_data::picture::Picture;
use mpm_llm::{
    cpm_bee::{AnswerTokens, CpmBeePrompt, CpmBeeSession},
    decoding::{DecodingParams, FinishReason, generate},
    prompt::{Conversation, InferenceBatch, PromptEncoder, PromptLimits},
    tokenizer::escape,
};
use mpm_vision::clip::SafetyReport;
use serde::Serialize;

use crate::{ChatError, ChatModel, PictureCheck};

/// Turns of questions and answers about one picture.
///
/// The picture is encoded once. CPM-Bee attends over the whole prompt in both
/// directions, so a turn changes the states of all turns before it: every
/// question reads the whole prompt anew, as the reference does.
pub struct ChatSession<'m, B: Backend> {
    model: &'m ChatModel<B>,
    picture_check: Option<&'m PictureCheck<B>>,
    features: Option<Tensor<B, 3>>,
    conversation: Conversation,
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
    pub fn new(model: &'m ChatModel<B>) -> Self {
        Self {
            model,
            picture_check: None,
            features: None,
            conversation: Conversation::new(),
        }
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
        self.features = Some(features);
        self.conversation.clear();
    }

    /// Forgets all turns; the picture stays.
    pub fn reset(&mut self) {
        self.conversation.clear();
    }

    /// Adds a turn that took place elsewhere: plain texts.
    pub fn remember(&mut self, question: &str, answer: &str) {
        self.conversation.push(question, escape(answer));
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
        params.validate()?;
        let tokenizer = &self.model.tokenizer;
        let encoder = PromptEncoder::new(tokenizer);
        let slots = self
            .features
            .as_ref()
            .map_or(0, |features| features.dims()[1]);
        let limits = PromptLimits {
            max_tokens: self.model.config.max_prompt_tokens,
            picture_slots: slots,
        };
        let fitted = self.conversation.prompt(&encoder, question, limits)?;
        let batch = InferenceBatch::new(&encoder, [&fitted.prompt], None)?;
        let ext_table = &batch.rows[0].ext_table;
        let mut session = CpmBeeSession::new(
            &self.model.model.llm,
            CpmBeePrompt::from_batch(&batch).remove(0),
            self.features.clone(),
            AnswerTokens::from(tokenizer),
            params.max_new_tokens,
        )?;
        let bytes_of = |id| Ok(tokenizer.plain_id(id, ext_table)?.as_bytes().to_vec());
        let generation = generate(&mut session, params, bytes_of, |piece| on_text(piece.text))?;
        let answer = generation.texts.into_iter().next().unwrap_or_default();
        self.remember(question, &answer);
        Ok(Answer {
            answer,
            finish: match generation.finish {
                FinishReason::Eos => "eos",
                FinishReason::MaxTokens => "max_tokens",
                FinishReason::StopString => "stop_string",
                FinishReason::Cancelled => "cancelled",
            },
            tokens: generation.tokens.len(),
            prompt_tokens: batch.seq,
            dropped_turns: fitted.dropped_turns,
        })
    }
}
