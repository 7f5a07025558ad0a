//! A conversation with a model of the family.

use std::ops::ControlFlow;

use burn::tensor::backend::Backend;
use mpm_core::MpmBackend;

use super::{
    chat_template::{ChatMessage, ChatOptions},
    folder::PretrainedLlama,
    inference::LlamaState,
    session::LlamaSession,
};
use crate::{
    decoding::{DecodingParams, Generation, Piece, generate},
    error::LlmError,
};

/// The role of a question.
const USER: &str = "user";
/// The role of an answer.
const ASSISTANT: &str = "assistant";

/// A conversation, which remembers what the model has read.
///
/// Each turn costs its own tokens only: of the text that the template writes, what begins as the
/// text before is not read again.
#[derive(Debug)]
pub struct LlamaChat<'a, B: Backend> {
    llm: &'a PretrainedLlama<B>,
    /// What the template is told.
    pub options: ChatOptions,
    messages: Vec<ChatMessage>,
    capacity: usize,
    /// What the model remembers of the turn before; nothing after one that failed.
    memory: Option<Memory<B>>,
}

#[derive(Debug)]
struct Memory<B: Backend> {
    state: LlamaState<B>,
    /// The tokens that the state has.
    ids: Vec<i32>,
}

/// What a turn gave, and what it cost.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatAnswer {
    /// The answer.
    pub generation: Generation,
    /// Tokens of the whole conversation up to the answer.
    pub prompt_tokens: usize,
    /// How many of them the model had to read for this turn.
    pub tokens_read: usize,
}

impl<'a, B: MpmBackend> LlamaChat<'a, B> {
    /// An empty conversation with room for `capacity` tokens, whose memory is allocated at the
    /// first question. Few models answer well beyond their `max_position_embeddings`.
    ///
    /// # Errors
    /// [`LlmError::NoChatTemplate`] for a model that was not trained to chat.
    pub fn new(llm: &'a PretrainedLlama<B>, capacity: usize) -> Result<Self, LlmError> {
        if llm.chat_template.is_none() {
            return Err(LlmError::NoChatTemplate);
        }
        Ok(Self {
            llm,
            options: ChatOptions::default(),
            messages: Vec::new(),
            capacity,
            memory: None,
        })
    }

    /// Adds a message that asks for no answer, such as that of the `system`.
    pub fn add(&mut self, message: ChatMessage) {
        self.messages.push(message);
    }

    /// All messages so far.
    pub fn messages(&self) -> &[ChatMessage] {
        &self.messages
    }

    /// Asks a question. The answer becomes a message of the conversation, as far as it came.
    ///
    /// `on_piece` is called as [`generate`] calls it.
    ///
    /// # Errors
    /// Those of [`ChatTemplate::render`](super::ChatTemplate::render) and of [`generate`],
    /// [`LlmError::QuestionTooLong`] when the conversation does not fit its room. It is then as
    /// before.
    pub fn ask(
        &mut self,
        question: impl Into<String>,
        params: &DecodingParams,
        on_piece: impl FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<ChatAnswer, LlmError> {
        let before = self.messages.len();
        self.add(ChatMessage::new(USER, question));
        let answer = self.answer(params, on_piece);
        match &answer {
            Ok(answer) => {
                let text = answer.generation.texts.first().cloned().unwrap_or_default();
                self.add(ChatMessage::new(ASSISTANT, text));
            }
            Err(_) => self.messages.truncate(before),
        }
        answer
    }

    fn answer(
        &mut self,
        params: &DecodingParams,
        on_piece: impl FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> Result<ChatAnswer, LlmError> {
        params.validate()?;
        let PretrainedLlama {
            model,
            tokenizer,
            chat_template,
            ends,
        } = self.llm;
        let template = chat_template.as_ref().ok_or(LlmError::NoChatTemplate)?;
        let text = template.render(&self.messages, &self.options)?;
        let ids = tokenizer.encode_rendered(&text)?;
        if ids.is_empty() {
            return Err(LlmError::EmptyBatch);
        }
        let (needed, limit) = (ids.len() + params.max_new_tokens, self.capacity);
        if needed > limit {
            return Err(LlmError::QuestionTooLong { needed, limit });
        }
        let Memory {
            mut state,
            ids: old,
        } = match self.memory.take() {
            Some(memory) => memory,
            None => Memory {
                state: model.inference_state(1, limit)?,
                ids: Vec::new(),
            },
        };
        let known = old.iter().zip(&ids).take_while(|(old, new)| old == new);
        // The last token is read even if it is remembered: the answer follows from it.
        let known = known.count().min(ids.len() - 1);
        state.truncate(known);
        let prompt = model.embed(&ids[known..], [1, ids.len() - known])?;
        let mut session = LlamaSession::resume(model, state, prompt, ends)?;
        let generation = generate(&mut session, params, tokenizer.text_bytes(), on_piece)?;
        let (state, read) = session.into_state();
        let prompt_tokens = ids.len();
        let ids = [ids, read].concat();
        self.memory = Some(Memory { state, ids });
        Ok(ChatAnswer {
            generation,
            prompt_tokens,
            tokens_read: prompt_tokens - known,
        })
    }
}
