//! Incremental inference with a preallocated cache, `CPMBeeTorch.inference` in
//! `VisCPM/models/cpmbee.py`.

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;

use super::{
    attention_bias::AttentionBias,
    input::{CpmBeeStep, Token},
    model::CpmBee,
    relation::Relations,
};
use crate::{
    cache::{CacheShape, KvCache, check_capacity},
    check::{check_length, row_width},
    error::LlmError,
};

/// What the model remembers of the tokens it has seen: keys and values on the
/// device, structure on the host.
#[derive(Debug, Clone)]
pub struct InferenceState<B: Backend> {
    cache: KvCache<B>,
    capacity: usize,
    /// The tokens of each row.
    tokens: Vec<Vec<Token>>,
    /// `[batch, relations]`.
    segment_rel: Vec<i32>,
}

impl<B: MpmBackend> InferenceState<B> {
    /// Tokens of a row so far.
    pub fn len(&self) -> usize {
        self.tokens.first().map_or(0, Vec::len)
    }

    /// Whether the model has seen nothing yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Rows of the batch.
    pub fn batch(&self) -> usize {
        self.tokens.len()
    }

    /// Tokens that a row can hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The keys and values.
    pub fn cache(&self) -> &KvCache<B> {
        &self.cache
    }

    /// Makes row `i` continue row `rows[i]`, for any number of rows.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn select_rows(&mut self, rows: &[usize]) {
        let width = self.segment_rel.len() / self.batch().max(1);
        let segment_rel = rows
            .iter()
            .flat_map(|&row| &self.segment_rel[row * width..(row + 1) * width]);
        self.segment_rel = segment_rel.copied().collect();
        self.tokens = rows.iter().map(|&row| self.tokens[row].clone()).collect();
        self.cache.select_rows(rows);
    }

    /// As [`select_rows`](Self::select_rows) for rows of one prompt each, in
    /// place: row `i` and row `rows[i]` share their first `from` tokens and
    /// their relations, so only what follows is copied.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn reorder_rows(&mut self, rows: &[usize], from: usize) {
        let tails: Vec<Vec<Token>> = rows
            .iter()
            .map(|&row| self.tokens[row][from..].to_vec())
            .collect();
        for (tokens, tail) in self.tokens.iter_mut().zip(tails) {
            tokens.truncate(from);
            tokens.extend(tail);
        }
        self.cache.reorder_rows(rows, from);
    }
}

impl<B: MpmBackend> CpmBee<B> {
    /// Room for `capacity` tokens in each of `batch` rows.
    ///
    /// # Shapes
    /// - segment_rel: `[batch, relations]`, as in
    ///   [`CpmBeeInput`](super::CpmBeeInput)
    ///
    /// # Errors
    /// [`LlmError::EmptyBatch`] without rows, [`LlmError::CacheCapacity`] for no tokens or more
    /// than any text has, [`LlmError::InputLength`] when `segment_rel` is not a multiple of
    /// `batch`.
    pub fn inference_state(
        &self,
        batch: usize,
        capacity: usize,
        segment_rel: Vec<i32>,
    ) -> Result<InferenceState<B>, LlmError> {
        if batch == 0 {
            return Err(LlmError::EmptyBatch);
        }
        check_capacity(capacity)?;
        row_width("segment_rel", segment_rel.len(), batch)?;
        let config = self.config();
        let shape = CacheShape {
            layers: config.num_layers,
            batch,
            heads: config.num_heads,
            capacity,
            dim_head: config.dim_head,
        };
        Ok(InferenceState {
            cache: KvCache::new(shape, self.dtype(), &self.device()),
            capacity,
            tokens: (0..batch).map(|_| Vec::with_capacity(capacity)).collect(),
            segment_rel,
        })
    }

    /// Mask and position bias between the tokens of `step` and all tokens up to
    /// and with them, shared by all layers; one row where all rows are alike.
    ///
    /// # Errors
    /// [`LlmError::InputLength`] and [`LlmError::InputRange`].
    pub fn step_bias(
        &self,
        step: &CpmBeeStep,
        state: &InferenceState<B>,
    ) -> Result<AttentionBias<B>, LlmError> {
        check_length("step (rows)", step.batch, state.batch())?;
        self.bias_of(&step.tokens()?, state)
    }

    /// As [`step_bias`](Self::step_bias), of tokens that have as many rows as the state.
    fn bias_of(
        &self,
        new: &[Vec<Token>],
        state: &InferenceState<B>,
    ) -> Result<AttentionBias<B>, LlmError> {
        let relations = Relations::new(&self.buckets, &state.tokens, new, &state.segment_rel)?;
        Ok(AttentionBias::of(&self.position_bias, relations))
    }

    /// Reads new tokens and remembers them: the whole prompt at first, then one
    /// token at a time.
    ///
    /// The state is unchanged when an error is returned.
    ///
    /// # Shapes
    /// - embeddings: `[batch, len_q, d_model]`, from [`CpmBee::embed`]
    /// - output: hidden states after the last norm, `[batch, len_q, d_model]`
    ///
    /// # Errors
    /// [`LlmError::CacheLayers`] and [`LlmError::CacheShape`] for the state of another model,
    /// [`LlmError::CacheFull`] when the tokens exceed the capacity,
    /// [`LlmError::InputLength`] and [`LlmError::InputRange`].
    pub fn infer(
        &self,
        embeddings: Tensor<B, 3>,
        step: &CpmBeeStep,
        state: &mut InferenceState<B>,
    ) -> Result<Tensor<B, 3>, LlmError> {
        let config = self.config();
        let (layers, heads) = (config.num_layers, config.num_heads);
        state.cache.check_model(layers, heads, config.dim_head)?;
        let [batch, len, width] = embeddings.dims();
        check_length("step (rows)", step.batch, state.batch())?;
        check_length("embeddings (rows)", batch, step.batch)?;
        check_length("embeddings (tokens)", len, step.len)?;
        check_length("embeddings (width)", width, self.config().dim_model)?;
        let needed = state.len() + len;
        if needed > state.capacity {
            return Err(LlmError::CacheFull {
                capacity: state.capacity,
                needed,
            });
        }
        let tokens = step.tokens()?;
        let bias = self.bias_of(&tokens, state)?;
        let hidden = self
            .encoder
            .forward(embeddings, &bias, Some(&mut state.cache), |_, _| {})?;
        for (row, new) in state.tokens.iter_mut().zip(tokens) {
            row.extend(new);
        }
        Ok(hidden)
    }
}
