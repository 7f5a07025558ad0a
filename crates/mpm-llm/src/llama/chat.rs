//! A conversation with a model of the family.

use std::ops::{ControlFlow, Range};

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
    /// How many of the oldest turns are left out. They stay out, so that each prompt begins as the
    /// one before.
    dropped_turns: usize,
    /// What the model remembers of the turn before; nothing after one that failed.
    memory: Option<Memory<B>>,
}

#[derive(Debug)]
struct Memory<B: Backend> {
    state: LlamaState<B>,
    /// The tokens that the state has.
    ids: Vec<i32>,
    /// Those in whose place there was a picture.
    pictures: Vec<Range<usize>>,
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
            dropped_turns: 0,
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
        self.dropped_turns = 0;
    }

    /// Asks a question. The answer becomes a message of the conversation, as far as it came.
    ///
    /// Where the conversation is longer than the model sees, its oldest turns are left out, and
    /// only whole ones; the conversation itself keeps them. So many are left out at once that a
    /// quarter of what the model sees is free, because all that is left has to be read anew.
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
        let memory = self.memory.take();
        let known = memory.iter().flat_map(|memory| &memory.ids).zip(&ids);
        let known = known.take_while(|(old, new)| old == new).count();
        // The last token is read even if it is remembered: the answer follows from it. A picture
        // is read as a whole, and one that was elsewhere has but the ids of this one.
        let mut known = known.min(ids.len() - 1);
        let moved = memory.iter().flat_map(|memory| &memory.pictures);
        let moved = moved.filter(|picture| !pictures.contains(picture));
        known = moved.fold(known, |known, picture| known.min(picture.start));
        if let Some(picture) = pictures.iter().find(|picture| picture.contains(&known)) {
            known = picture.start;
        }
        let state = memory.map(|memory| memory.state);
        let state = self.make_room(state, known, ids.len(), params.max_new_tokens)?;
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
        let mut session = LlamaSession::resume(self.model, state, prompt, ends)?;
        let generation = generate(&mut session, params, tokenizer.text_bytes(), on_piece)?;
        let (state, read) = session.into_state();
        let prompt_tokens = ids.len();
        let ids = [ids, read].concat();
        self.memory = Some(Memory {
            state,
            ids,
            pictures,
        });
        self.dropped_turns = dropped_turns;
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
        let limit = self.max_prompt_tokens;
        let as_before = self.encode(self.dropped_turns)?;
        if as_before.ids.len() <= limit {
            return Ok((as_before, self.dropped_turns));
        }
        let questions = self.messages.iter().filter(|message| message.role == USER);
        // All but the question that is asked now.
        let turns = questions.count().saturating_sub(1);
        let (chat, fewest) = match self.dropped_turns < turns {
            true => self.fewest_dropped(self.dropped_turns, turns, limit)?,
            false => (as_before, turns),
        };
        let needed = chat.ids.len();
        if needed > limit {
            return Err(LlmError::QuestionTooLong { needed, limit });
        }
        // Room for turns to come is worth more than the oldest turns, but not more than the last
        // one.
        let comfortable = limit - limit / 4;
        if needed <= comfortable || fewest + 1 >= turns {
            return Ok((chat, fewest));
        }
        let roomy = self.fewest_dropped(fewest, turns - 1, comfortable)?;
        match roomy.0.ids.len() <= limit {
            true => Ok(roomy),
            false => Ok((chat, fewest)),
        }
    }

    /// The fewest turns to leave out for at most `limit` tokens, more than `too_few` and up to
    /// `most`, and the ids without them; `most` where these are still too many.
    fn fewest_dropped(
        &self,
        mut too_few: usize,
        mut most: usize,
        limit: usize,
    ) -> Result<(ExpandedIds, usize), LlmError> {
        let mut chat = self.encode(most)?;
        // Writing and cutting a long conversation takes a while: halve what is in question.
        while most - too_few > 1 {
            let middle = too_few + (most - too_few) / 2;
            let other = self.encode(middle)?;
            match other.ids.len() <= limit {
                true => (chat, most) = (other, middle),
                false => too_few = middle,
            }
        }
        Ok((chat, most))
    }

    /// The ids of the conversation without its oldest turns; a turn is a message of the user and
    /// all up to the next one.
    fn encode(&self, dropped_turns: usize) -> Result<ExpandedIds, LlmError> {
        let mut turn = 0;
        let messages = self.messages.iter().filter(|message| {
            turn += usize::from(message.role == USER);
            turn == 0 || turn > dropped_turns
        });
        let messages: Vec<ChatMessage> = messages.cloned().collect();
        let features = self.features.as_ref();
        let slots = features.map_or(0, |features| features.dims()[1]);
        let chat = self.text.encode_chat(&messages, slots, &self.options)?;
        match chat.ids.is_empty() {
            true => Err(LlmError::EmptyBatch),
            false => Ok(chat),
        }
    }

    /// What the model remembers, cut to the first `known` tokens, with room for a prompt of
    /// `len` tokens and its answer.
    fn make_room(
        &self,
        state: Option<LlamaState<B>>,
        known: usize,
        len: usize,
        max_new_tokens: usize,
    ) -> Result<LlamaState<B>, LlmError> {
        let needed = len + max_new_tokens;
        let most = self.max_prompt_tokens.saturating_add(max_new_tokens);
        let capacity = needed.next_multiple_of(ROOM).min(most);
        let Some(mut state) = state else {
            return self.model.inference_state(1, capacity);
        };
        state.truncate(known);
        if state.capacity() < needed {
            state.grow(capacity)?;
        }
        Ok(state)
    }
}

fn is_turn(message: &ChatMessage) -> bool {
    message.role == USER || message.role == ASSISTANT
}
