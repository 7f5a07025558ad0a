//! Incremental inference with a preallocated cache.

use burn::tensor::{Tensor, backend::Backend};
use mpm_core::MpmBackend;

use super::{context::Past, input::LlamaInput, model::Llama};
use crate::{
    cache::{CacheShape, KvCache, check_capacity},
    check::check_length,
    error::LlmError,
};

/// What the model remembers of the tokens it has seen.
#[derive(Clone, Debug)]
pub struct LlamaState<B: Backend> {
    cache: KvCache<B>,
    capacity: usize,
    /// The tokens of each row, false for padding.
    seen: Vec<Vec<bool>>,
    /// Whether any of them is padding, or was.
    is_padded: bool,
}

impl<B: MpmBackend> LlamaState<B> {
    /// Tokens of a row so far, its padding included.
    pub fn len(&self) -> usize {
        self.seen.first().map_or(0, Vec::len)
    }

    /// Whether the model has seen nothing yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The position of what comes next in the first row, which padding does not count for.
    pub fn next_position(&self) -> usize {
        let row = self.seen.first().into_iter().flatten();
        row.filter(|&&seen| seen).count()
    }

    /// Rows of the batch.
    pub fn batch(&self) -> usize {
        self.seen.len()
    }

    /// Tokens that a row can hold.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The keys and values.
    pub fn cache(&self) -> &KvCache<B> {
        &self.cache
    }

    /// Makes room for `capacity` tokens in each row, where there is less.
    ///
    /// # Errors
    /// [`LlmError::CacheCapacity`] for more tokens than any text has.
    pub fn grow(&mut self, capacity: usize) -> Result<(), LlmError> {
        if capacity > self.capacity {
            check_capacity(capacity)?;
            self.cache.grow(capacity);
            self.capacity = capacity;
        }
        Ok(())
    }

    /// Forgets all but the first `len` tokens of each row. What a causal model remembers of these
    /// does not depend on what came after them.
    pub fn truncate(&mut self, len: usize) {
        for row in &mut self.seen {
            row.truncate(len);
        }
        self.cache.truncate(len);
    }

    /// Makes row `i` continue row `rows[i]`, for any number of rows.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn select_rows(&mut self, rows: &[usize]) {
        self.seen = rows.iter().map(|&row| self.seen[row].clone()).collect();
        self.cache.select_rows(rows);
    }

    /// As [`select_rows`](Self::select_rows) for rows of one prompt each, in place: row `i` and
    /// row `rows[i]` share their first `from` tokens, so only what follows is copied.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn reorder_rows(&mut self, rows: &[usize], from: usize) {
        self.seen = rows.iter().map(|&row| self.seen[row].clone()).collect();
        self.cache.reorder_rows(rows, from);
    }
}

impl<B: MpmBackend> Llama<B> {
    /// Room for `capacity` tokens in each of `batch` rows.
    ///
    /// # Errors
    /// [`LlmError::EmptyBatch`] without rows, [`LlmError::CacheCapacity`] for no tokens or more
    /// than any text has.
    pub fn inference_state(
        &self,
        batch: usize,
        capacity: usize,
    ) -> Result<LlamaState<B>, LlmError> {
        if batch == 0 {
            return Err(LlmError::EmptyBatch);
        }
        check_capacity(capacity)?;
        let config = self.config();
        let shape = CacheShape {
            layers: config.num_hidden_layers,
            batch,
            heads: config.num_key_value_heads,
            capacity,
            dim_head: config.head_dim,
        };
        Ok(LlamaState {
            cache: KvCache::new(shape, self.dtype(), &self.device()),
            capacity,
            seen: (0..batch).map(|_| Vec::with_capacity(capacity)).collect(),
            is_padded: false,
        })
    }

    /// Reads new tokens and remembers them: a whole prompt, a part of one, or a single token.
    ///
    /// The state is unchanged when an error is returned.
    ///
    /// # Shapes
    /// - embeddings: `[batch, seq, d_model]`
    /// - output: hidden states after the last norm, `[batch, seq, d_model]`
    ///
    /// # Errors
    /// [`LlmError::CacheLayers`] and [`LlmError::CacheShape`] for the state of another model,
    /// [`LlmError::CacheFull`] when the tokens exceed the capacity, [`LlmError::EmptyBatch`]
    /// without tokens, [`LlmError::InputLength`] and [`LlmError::InputRange`].
    pub fn infer(
        &self,
        embeddings: Tensor<B, 3>,
        input: &LlamaInput,
        state: &mut LlamaState<B>,
    ) -> Result<Tensor<B, 3>, LlmError> {
        let config = self.config();
        let (layers, heads) = (config.num_hidden_layers, config.num_key_value_heads);
        state.cache.check_model(layers, heads, config.head_dim)?;
        check_length("input (rows)", input.batch, state.batch())?;
        let past = Past {
            seen: &state.seen,
            is_padded: state.is_padded,
        };
        let context = self.context(&embeddings, past, input)?;
        let needed = state.len() + input.seq_len;
        if needed > state.capacity {
            return Err(LlmError::CacheFull {
                capacity: state.capacity,
                needed,
            });
        }
        let cache = Some(&mut state.cache);
        let hidden = self.model.forward(embeddings, &context, cache, |_, _| {})?;
        state.is_padded |= input.seen.contains(&false);
        let new = input.seen.chunks_exact(input.seq_len);
        for (row, new) in state.seen.iter_mut().zip(new) {
            row.extend(new);
        }
        Ok(hidden)
    }
}
