//! A conversation with a model of the family.

use std::ops::ControlFlow;

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;

use super::{
    chat_template::{ChatMessage, ChatOptions},
    inference::LlamaState,
    model::Llama,
    session::LlamaSession,
    text::{ASSISTANT, LlamaText, USER},
};
use crate::{
    decoding::{DecodingParams, Piece, generate},
    dialogue::ChatAnswer,
    error::LlmError,
    splice::{ExpandedIds, splice_features},
};

/// Memory is taken in pieces of so many tokens.
const ROOM: usize = 1024;

/// A conversation, about a picture or not, which remembers what the model has read.
///
/// Each turn costs its own tokens only: of the text that the template writes, what begins as the
/// text before is not read again.
#[derive(Debug)]
pub struct LlamaChat<'a, B: Backend> {
    model: &'a Llama<B>,
    text: &'a LlamaText,
    /// What the template is told.
    pub options: ChatOptions,
    messages: Vec<ChatMessage>,
    /// The picture that the conversation is about, `[1, slots, d_model]`.
    features: Option<Tensor<B, 3>>,
    max_prompt_tokens: usize,
    /// What the model remembers of the turn before; nothing after one that failed.
    memory: Option<Memory<B>>,
}

#[derive(Debug)]
struct Memory<B: Backend> {
    state: LlamaState<B>,
    /// The tokens that the state has.
    ids: Vec<i32>,
}

impl<'a, B: MpmBackend> LlamaChat<'a, B> {
    /// An empty conversation, of which the model sees the newest `max_prompt_tokens` tokens. Few
    /// models answer well beyond their `max_position_embeddings`.
    ///
    /// # Errors
    /// [`LlmError::NoChatTemplate`] for a model that was not trained to chat.
    pub fn new(
        model: &'a Llama<B>,
        text: &'a LlamaText,
        max_prompt_tokens: usize,
    ) -> Result<Self, LlmError> {
        if text.chat_template.is_none() {
            return Err(LlmError::NoChatTemplate);
        }
        Ok(Self {
            model,
            text,
            options: ChatOptions::default(),
            messages: Vec::new(),
            features: None,
            max_prompt_tokens,
            memory: None,
        })
    }

    /// Adds a message that asks for no answer, such as that of the `system`.
    pub fn add(&mut self, message: ChatMessage) {
        self.messages.push(message);
    }

    /// Adds a turn that took place elsewhere.
    pub fn remember(&mut self, question: impl Into<String>, answer: impl Into<String>) {
        self.add(ChatMessage::new(USER, question));
        self.add(ChatMessage::new(ASSISTANT, answer));
    }

    /// All messages so far.
    pub fn messages(&self) -> &[ChatMessage] {
        &self.messages
    }

    /// Shows a picture, `[1, slots, d_model]`, before the first question, and forgets the turns
    /// about the one before.
    pub fn show(&mut self, features: Tensor<B, 3>) {
        self.features = Some(features);
        self.memory = None;
        self.reset();
    }

    /// Forgets all turns; the picture and the messages of the system stay.
    pub fn reset(&mut self) {
        self.messages.retain(|message| !is_turn(message));
    }

    /// Asks a question. The answer becomes a message of the conversation, as far as it came.
    ///
    /// Where the conversation is longer than the model sees, its oldest turns are left out, and
    /// only whole ones; the conversation itself keeps them.
    ///
    /// `on_piece` is called as [`generate`] calls it.
    ///
    /// # Errors
    /// Those of [`LlamaText::encode_chat`] and of [`generate`], [`LlmError::QuestionTooLong`] when
    /// the question does not fit even without any turn. The conversation is then as before.
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
            Ok(answer) => self.add(ChatMessage::new(ASSISTANT, answer.text())),
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
        let (ExpandedIds { ids, pictures }, dropped_turns) = self.fit()?;
        let mut memory = self.recall(&ids, params.max_new_tokens)?;
        let known = memory.ids.iter().zip(&ids);
        let known = known.take_while(|(old, new)| old == new).count();
        // The last token is read even if it is remembered: the answer follows from it. A picture
        // is read as a whole.
        let mut known = known.min(ids.len() - 1);
        if let Some(picture) = pictures.iter().find(|picture| picture.contains(&known)) {
            known = picture.start;
        }
        memory.state.truncate(known);
        let mut prompt = self.model.embed(&ids[known..], [1, ids.len() - known])?;
        if let Some(features) = &self.features {
            let new = pictures.iter().filter(|picture| picture.start >= known);
            let new: Vec<_> = new.map(|at| at.start - known..at.end - known).collect();
            if !new.is_empty() {
                prompt = splice_features(prompt, features.clone(), &[new])?;
            }
        }
        let LlamaText {
            tokenizer, ends, ..
        } = self.text;
        let mut session = LlamaSession::resume(self.model, memory.state, prompt, ends)?;
        let generation = generate(&mut session, params, tokenizer.text_bytes(), on_piece)?;
        let (state, read) = session.into_state();
        let prompt_tokens = ids.len();
        let ids = [ids, read].concat();
        self.memory = Some(Memory { state, ids });
        Ok(ChatAnswer {
            generation,
            prompt_tokens,
            tokens_read: prompt_tokens - known,
            dropped_turns,
        })
    }

    /// The ids of as much of the conversation as the model sees, and the number of turns that are
    /// not in them.
    fn fit(&self) -> Result<(ExpandedIds, usize), LlmError> {
        let features = self.features.as_ref();
        let slots = features.map_or(0, |features| features.dims()[1]);
        let mut messages = self.messages.clone();
        let mut dropped = 0;
        loop {
            let chat = self.text.encode_chat(&messages, slots, &self.options)?;
            if chat.ids.is_empty() {
                return Err(LlmError::EmptyBatch);
            }
            let (needed, limit) = (chat.ids.len(), self.max_prompt_tokens);
            if needed <= limit {
                return Ok((chat, dropped));
            }
            // A turn is a message of the user and all up to the next one.
            let mut questions = (0..messages.len()).filter(|&at| messages[at].role == USER);
            match (questions.next(), questions.next()) {
                (Some(first), Some(second)) => drop(messages.drain(first..second)),
                _ => return Err(LlmError::QuestionTooLong { needed, limit }),
            }
            dropped += 1;
        }
    }

    /// What the model remembers, with room for a prompt and its answer; nothing where the room of
    /// the turn before is too small.
    fn recall(&mut self, ids: &[i32], max_new_tokens: usize) -> Result<Memory<B>, LlmError> {
        let needed = ids.len() + max_new_tokens;
        let memory = self.memory.take();
        if let Some(memory) = memory.filter(|memory| memory.state.capacity() >= needed) {
            return Ok(memory);
        }
        let most = self.max_prompt_tokens + max_new_tokens;
        let capacity = needed.next_multiple_of(ROOM).min(most);
        Ok(Memory {
            state: self.model.inference_state(1, capacity)?,
            ids: Vec::new(),
        })
    }
}

fn is_turn(message: &ChatMessage) -> bool {
    message.role == USER || message.role == ASSISTANT
}
