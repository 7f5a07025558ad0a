//! A model of the family as a [`DecodingSession`].

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;

use super::{inference::LlamaState, input::LlamaInput, model::Llama};
use crate::{
    check::{check_length, check_range},
    decoding::{DecodingSession, Logits, check_max_new_tokens},
    error::LlmError,
};

/// Tokens of a prompt that are read at once: masks and intermediate results grow with it, and
/// larger products are hardly faster.
const CHUNK: usize = 512;

/// A prompt in the memory of a [`Llama`], and the sequences it is continued by.
///
/// # Examples
/// ```
/// use std::ops::ControlFlow;
///
/// use burn::backend::Flex;
/// use mpm_llm::{
///     decoding::{DecodingParams, generate},
///     llama::{Llama, LlamaConfig, LlamaSession},
/// };
///
/// let model: Llama<Flex> = LlamaConfig::tiny().init(&Default::default())?;
/// let prompt = model.embed(&[1, 20, 21], [1, 3])?;
/// let params = DecodingParams {
///     max_new_tokens: 4,
///     ..DecodingParams::default()
/// };
/// let mut session = LlamaSession::new(&model, prompt, &[2], params.max_new_tokens)?;
/// let bytes_of = |token| Ok(format!("{token} ").into_bytes());
/// let answer = generate(&mut session, &params, bytes_of, |_| ControlFlow::Continue(()))?;
/// assert!(answer.tokens.len() <= 4);
/// # Ok::<(), mpm_llm::LlmError>(())
/// ```
#[derive(Debug)]
pub struct LlamaSession<'a, B: Backend> {
    model: &'a Llama<B>,
    state: LlamaState<B>,
    /// Tokens of the prompt, with what the state had before.
    prompt_len: usize,
    /// The hidden state of the prompt's last token, `[1, 1, d_model]`.
    last: Tensor<B, 3>,
    ends: Vec<i32>,
    /// The tokens that each sequence has read since the prompt.
    read: Vec<Vec<i32>>,
}

impl<'a, B: MpmBackend> LlamaSession<'a, B> {
    /// Reads a prompt, with room for an answer of `max_new_tokens`, 1 to
    /// [`MAX_NEW_TOKENS`](crate::decoding::MAX_NEW_TOKENS), which any of the tokens `ends` ends.
    ///
    /// # Shapes
    /// - prompt: embeddings, `[1, seq, d_model]`, of tokens and of what stands in their place
    ///
    /// # Errors
    /// [`LlmError::EmptyBatch`] for a prompt without tokens, [`LlmError::DecodingParameter`] for
    /// an answer of another length, [`LlmError::InputLength`], and [`LlmError::InputRange`] for
    /// `ends` that are not in the vocabulary.
    pub fn new(
        model: &'a Llama<B>,
        prompt: Tensor<B, 3>,
        ends: &[i32],
        max_new_tokens: usize,
    ) -> Result<Self, LlmError> {
        check_max_new_tokens(max_new_tokens)?;
        let state = model.inference_state(1, prompt.dims()[1] + max_new_tokens)?;
        Self::resume(model, state, prompt, ends)
    }

    /// As [`new`](Self::new), for a prompt that goes on after what `state` remembers of one row,
    /// and an answer that fills its room at most.
    ///
    /// # Errors
    /// As [`new`](Self::new), [`LlmError::CacheFull`] when the state has no room for the prompt,
    /// [`LlmError::CacheLayers`] and [`LlmError::CacheShape`] for the state of another model.
    pub fn resume(
        model: &'a Llama<B>,
        mut state: LlamaState<B>,
        prompt: Tensor<B, 3>,
        ends: &[i32],
    ) -> Result<Self, LlmError> {
        let [rows, len, width] = prompt.dims();
        check_length("prompt (rows)", rows, 1)?;
        check_range("ends", ends, model.config().vocab_size - 1)?;
        if len == 0 {
            return Err(LlmError::EmptyBatch);
        }
        let needed = state.len() + len;
        if needed > state.capacity() {
            return Err(LlmError::CacheFull {
                capacity: state.capacity(),
                needed,
            });
        }
        // Each part is rotated as in the whole text, as if it were read at once.
        let text_len = Some(state.next_position() + len);
        let mut last = None;
        for start in (0..len).step_by(CHUNK) {
            let count = CHUNK.min(len - start);
            let position = state.next_position();
            let input = LlamaInput {
                text_len,
                ..LlamaInput::unpadded(1, position..position + count)
            };
            let chunk = prompt.clone().narrow(1, start, count);
            let hidden = model.infer(chunk, &input, &mut state)?;
            last = Some(hidden.slice([0..1, count - 1..count, 0..width]));
        }
        Ok(Self {
            model,
            prompt_len: state.len(),
            state,
            last: last.ok_or(LlmError::EmptyBatch)?,
            ends: ends.to_vec(),
            read: vec![Vec::new()],
        })
    }

    /// What the model remembers, as one row, and the answer's tokens that it remembers beyond the
    /// prompt: those it has read of a single sequence, none of several.
    pub fn into_state(mut self) -> (LlamaState<B>, Vec<i32>) {
        match <[Vec<i32>; 1]>::try_from(self.read) {
            Ok([read]) => (self.state, read),
            Err(_) => {
                self.state.truncate(self.prompt_len);
                self.state.select_rows(&[0]);
                (self.state, Vec::new())
            }
        }
    }
}

impl<B: MpmBackend> DecodingSession for LlamaSession<'_, B> {
    fn start(&mut self) -> Result<Logits, LlmError> {
        Ok(Logits::on_host(self.model.logits(self.last.clone())))
    }

    fn step(&mut self, tokens: &[i32]) -> Result<Logits, LlmError> {
        let rows = self.read.len();
        check_length("answer tokens", tokens.len(), rows)?;
        let embeddings = self.model.embed(tokens, [rows, 1])?;
        let position = self.state.next_position();
        let input = LlamaInput::unpadded(rows, position..position + 1);
        let hidden = self.model.infer(embeddings, &input, &mut self.state)?;
        for (read, &token) in self.read.iter_mut().zip(tokens) {
            read.push(token);
        }
        Ok(Logits::on_host(self.model.logits(hidden)))
    }

    fn room(&self) -> usize {
        self.state.capacity() - self.state.len()
    }

    fn select_rows(&mut self, rows: &[usize]) {
        if rows.len() == self.read.len() {
            // All sequences share the prompt.
            self.state.reorder_rows(rows, self.prompt_len);
        } else {
            self.state.select_rows(rows);
        }
        self.read = rows.iter().map(|&row| self.read[row].clone()).collect();
    }

    fn ends_answer(&self, token: i32) -> bool {
        self.ends.contains(&token)
    }
}
