//! Preallocated key-value cache.
//!
//! Keys and values are written in place into buffers of a fixed capacity:
//! nothing is concatenated or reallocated while tokens are generated.

use burn::tensor::{DType, Int, Tensor, TensorData, backend::Backend};
use mpm_core::kernel::{MpmBackend, assign};

use crate::{check::check_length, error::LlmError};

/// The most tokens of a row: far more than any text has, and so few that positions are exact in
/// f32.
pub(crate) const MAX_CAPACITY: usize = 1 << 24;

/// The keys and values of all layers.
#[derive(Debug, Clone)]
pub struct KvCache<B: Backend> {
    layers: Vec<LayerCache<B>>,
}

/// The keys and values of one layer, for up to `capacity` tokens.
#[derive(Debug, Clone)]
pub struct LayerCache<B: Backend> {
    /// `[batch, heads, capacity, dim_head]`.
    key: Tensor<B, 4>,
    /// `[batch, heads, capacity, dim_head]`.
    value: Tensor<B, 4>,
    len: usize,
}

/// The sizes of a [`KvCache`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheShape {
    /// Layers of the model.
    pub layers: usize,
    /// Rows of the batch.
    pub batch: usize,
    /// Key and value heads of a layer.
    pub heads: usize,
    /// Tokens that a row can hold.
    pub capacity: usize,
    /// Width of a head.
    pub dim_head: usize,
}

/// Whether a cache can have room for so many tokens.
pub(crate) fn check_capacity(capacity: usize) -> Result<(), LlmError> {
    match (1..=MAX_CAPACITY).contains(&capacity) {
        true => Ok(()),
        false => Err(LlmError::CacheCapacity {
            capacity,
            max: MAX_CAPACITY,
        }),
    }
}

impl<B: MpmBackend> KvCache<B> {
    /// An empty cache in the dtype of the model's activations.
    pub fn new(shape: CacheShape, dtype: DType, device: &B::Device) -> Self {
        let dims = [shape.batch, shape.heads, shape.capacity, shape.dim_head];
        let layer = || LayerCache {
            key: Tensor::zeros(dims, (device, dtype)),
            value: Tensor::zeros(dims, (device, dtype)),
            len: 0,
        };
        Self {
            layers: (0..shape.layers).map(|_| layer()).collect(),
        }
    }

    /// The cache of one layer.
    ///
    /// # Panics
    /// When the model has more layers than the cache was made for.
    pub fn layer_mut(&mut self, layer: usize) -> &mut LayerCache<B> {
        &mut self.layers[layer]
    }

    /// The caches of all layers, first to last.
    pub fn layers(&self) -> &[LayerCache<B>] {
        &self.layers
    }

    /// Forgets all but the first `len` tokens of each row.
    pub fn truncate(&mut self, len: usize) {
        for layer in &mut self.layers {
            layer.len = layer.len.min(len);
        }
    }

    /// Whether this is a cache for a model with so many layers and such keys. Anything else would
    /// be found out by a layer, when those before it have added their keys already.
    pub(crate) fn check_model(
        &self,
        layers: usize,
        heads: usize,
        dim_head: usize,
    ) -> Result<(), LlmError> {
        if self.layers.len() != layers {
            return Err(LlmError::CacheLayers {
                expected: layers,
                actual: self.layers.len(),
            });
        }
        self.layers.iter().try_for_each(|layer| {
            let batch = layer.key.dims()[0];
            layer.check_rows([batch, heads, 0, dim_head])
        })
    }

    /// Makes room for `capacity` tokens in each row, where there is less. New buffers are
    /// allocated, a layer's after the other.
    pub fn grow(&mut self, capacity: usize) {
        for layer in &mut self.layers {
            let [batch, _, old, _] = layer.key.dims();
            if old < capacity {
                layer.renew(batch, capacity, |filled| filled);
            }
        }
    }

    /// Makes row `i` continue row `rows[i]`, for any number of rows: to expand
    /// a prompt to its beams, or to drop rows that are done. New buffers are
    /// allocated; only what is filled is copied, so that the room for what comes is
    /// not touched before it is used.
    pub fn select_rows(&mut self, rows: &[usize]) {
        for layer in &mut self.layers {
            let index = row_index(rows, &layer.key.device());
            let capacity = layer.key.dims()[2];
            layer.renew(rows.len(), capacity, |filled| {
                filled.select(0, index.clone())
            });
        }
    }

    /// As [`select_rows`](Self::select_rows) for as many rows as there are, and
    /// in place: only rows that change are copied, from token `from` on. The
    /// tokens before `from` must be the same in row `i` and row `rows[i]`.
    pub fn reorder_rows(&mut self, rows: &[usize], from: usize) {
        let changed: Vec<usize> = (0..rows.len()).filter(|&row| rows[row] != row).collect();
        if changed.is_empty() {
            return;
        }
        let sources: Vec<usize> = changed.iter().map(|&row| rows[row]).collect();
        // A layer without attention adds nothing to its cache.
        let changed_layers = self.layers.iter_mut().filter(|layer| layer.len > from);
        for layer in changed_layers {
            let index = row_index(&sources, &layer.key.device());
            let len = layer.len;
            for buffer in [&mut layer.key, &mut layer.value] {
                copy_rows(buffer, &changed, index.clone(), from, len);
            }
        }
    }
}

impl<B: MpmBackend> LayerCache<B> {
    /// Puts what `fill` makes of the filled tokens into new buffers of `batch` rows.
    fn renew(
        &mut self,
        batch: usize,
        capacity: usize,
        fill: impl Fn(Tensor<B, 4>) -> Tensor<B, 4>,
    ) {
        for buffer in [&mut self.key, &mut self.value] {
            let [_, heads, _, dim_head] = buffer.dims();
            let options = (&buffer.device(), buffer.dtype());
            let filled = (self.len > 0).then(|| fill(filled(buffer, self.len)));
            *buffer = Tensor::zeros([batch, heads, capacity, dim_head], options);
            if let Some(filled) = filled {
                write(buffer, filled, 0);
            }
        }
    }

    /// Adds the keys and values of new tokens and returns those of all tokens.
    ///
    /// # Shapes
    /// - key, value: `[batch, heads, new, dim_head]`
    /// - output: `[batch, heads, len, dim_head]` with the new `len`
    ///
    /// # Errors
    /// [`LlmError::CacheFull`] when there is no room, [`LlmError::CacheShape`] for another batch or
    /// other heads than the cache was made for, [`LlmError::InputLength`] for another number of
    /// values than keys. The cache is then as before.
    pub fn append(
        &mut self,
        key: Tensor<B, 4>,
        value: Tensor<B, 4>,
    ) -> Result<(Tensor<B, 4>, Tensor<B, 4>), LlmError> {
        self.check_rows(key.dims())?;
        self.check_rows(value.dims())?;
        let new = key.dims()[2];
        check_length("values (tokens)", value.dims()[2], new)?;
        let [_, _, capacity, _] = self.key.dims();
        let end = self.len + new;
        if end > capacity {
            return Err(LlmError::CacheFull {
                capacity,
                needed: end,
            });
        }
        write(&mut self.key, key, self.len);
        write(&mut self.value, value, self.len);
        self.len = end;
        Ok((self.key(), self.value()))
    }

    /// Whether keys or values of this shape are for the rows and heads of this cache.
    fn check_rows(&self, new: [usize; 4]) -> Result<(), LlmError> {
        let without_tokens = |[batch, heads, _, dim_head]: [usize; 4]| [batch, heads, dim_head];
        let (expected, actual) = (without_tokens(self.key.dims()), without_tokens(new));
        match expected == actual {
            true => Ok(()),
            false => Err(LlmError::CacheShape { expected, actual }),
        }
    }

    /// Tokens in the cache.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The keys so far, `[batch, heads, len, dim_head]`.
    pub fn key(&self) -> Tensor<B, 4> {
        filled(&self.key, self.len)
    }

    /// The values so far, `[batch, heads, len, dim_head]`.
    pub fn value(&self) -> Tensor<B, 4> {
        filled(&self.value, self.len)
    }
}

/// Writes `new` at token `start`. The buffer is taken out of its place, so that
/// it is uniquely owned and the backend writes into it without a copy.
fn write<B: MpmBackend>(buffer: &mut Tensor<B, 4>, new: Tensor<B, 4>, start: usize) {
    let [batch, heads, len, dim_head] = new.dims();
    let window = [0..batch, 0..heads, start..start + len, 0..dim_head];
    buffer.inplace(|buffer| assign(buffer, window, new));
}

fn filled<B: Backend>(buffer: &Tensor<B, 4>, len: usize) -> Tensor<B, 4> {
    let [batch, heads, _, dim_head] = buffer.dims();
    buffer
        .clone()
        .slice([0..batch, 0..heads, 0..len, 0..dim_head])
}

fn copy_rows<B: MpmBackend>(
    buffer: &mut Tensor<B, 4>,
    targets: &[usize],
    sources: Tensor<B, 1, Int>,
    from: usize,
    to: usize,
) {
    let [batch, heads, _, dim_head] = buffer.dims();
    // The copy is complete before the first write: rows may swap places.
    let copies = buffer
        .clone()
        .slice([0..batch, 0..heads, from..to, 0..dim_head])
        .select(0, sources);
    for (copy, &target) in targets.iter().enumerate() {
        let copy = copies
            .clone()
            .slice([copy..copy + 1, 0..heads, 0..to - from, 0..dim_head]);
        let window = [target..target + 1, 0..heads, from..to, 0..dim_head];
        buffer.inplace(|buffer| assign(buffer, window, copy));
    }
}

fn row_index<B: Backend>(rows: &[usize], device: &B::Device) -> Tensor<B, 1, Int> {
    let rows: Vec<i32> = rows.iter().map(|&row| row as i32).collect();
    let count = rows.len();
    Tensor::from_data(TensorData::new(rows, [count]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::backend::Flex;

    const SHAPE: CacheShape = CacheShape {
        layers: 1,
        batch: 3,
        heads: 2,
        capacity: 6,
        dim_head: 4,
    };

    fn tokens(first: f32, len: usize) -> Tensor<Flex, 4> {
        let count = SHAPE.batch * SHAPE.heads * len * SHAPE.dim_head;
        let values: Vec<f32> = (0..count).map(|i| first + i as f32).collect();
        Tensor::from_data(
            TensorData::new(values, [SHAPE.batch, SHAPE.heads, len, SHAPE.dim_head]),
            &Default::default(),
        )
    }

    fn filled_cache() -> KvCache<Flex> {
        let mut cache = KvCache::new(SHAPE, DType::F32, &Default::default());
        let layer = cache.layer_mut(0);
        layer
            .append(tokens(0.0, 3), tokens(1000.0, 3))
            .expect("room");
        layer
            .append(tokens(100.0, 1), tokens(2000.0, 1))
            .expect("room");
        cache
    }

    #[test]
    fn append_equals_concatenation() {
        let cache = filled_cache();
        let expected = Tensor::cat(vec![tokens(0.0, 3), tokens(100.0, 1)], 2);
        assert_eq!(cache.layers()[0].key().to_data(), expected.to_data());
    }

    #[test]
    fn what_is_cut_off_leaves_room() {
        let mut cache = filled_cache();
        cache.truncate(2);
        cache.truncate(5);
        let layer = cache.layer_mut(0);
        assert_eq!(layer.len(), 2);
        let (keys, _) = layer
            .append(tokens(200.0, 4), tokens(0.0, 4))
            .expect("room");
        let kept = tokens(0.0, 3).slice([0..3, 0..2, 0..2, 0..4]);
        let expected = Tensor::cat(vec![kept, tokens(200.0, 4)], 2);
        assert_eq!(keys.to_data(), expected.to_data());
    }

    #[test]
    fn a_full_cache_is_an_error() {
        let mut cache = filled_cache();
        let error = cache.layer_mut(0).append(tokens(0.0, 3), tokens(0.0, 3));
        assert!(matches!(
            error,
            Err(LlmError::CacheFull {
                capacity: 6,
                needed: 7
            })
        ));
    }

    #[test]
    fn other_rows_than_the_cache_was_made_for_are_errors() {
        let mut cache = filled_cache();
        let mut append = |key: [usize; 4], value: [usize; 4]| {
            let zeros = |shape| Tensor::<Flex, 4>::zeros(shape, &Default::default());
            cache.layer_mut(0).append(zeros(key), zeros(value)).err()
        };
        let good = [3, 2, 1, 4];
        for wrong in [[2, 2, 1, 4], [3, 1, 1, 4], [3, 2, 1, 8]] {
            let expected = [3, 2, 4];
            let found = [wrong[0], wrong[1], wrong[3]];
            for error in [append(wrong, good), append(good, wrong)] {
                assert!(
                    matches!(
                        error,
                        Some(LlmError::CacheShape { expected: e, actual: a })
                            if e == expected && a == found
                    ),
                    "{wrong:?}"
                );
            }
        }
        assert!(matches!(
            append(good, [3, 2, 2, 4]),
            Some(LlmError::InputLength {
                expected: 1,
                actual: 2,
                ..
            })
        ));
        assert_eq!(cache.layers()[0].len(), 4);
    }

    #[test]
    fn layers_without_tokens_are_left_alone() {
        // The first layer has no attention, as `mask_modules` of CPM-Bee may have it.
        let shape = CacheShape { layers: 2, ..SHAPE };
        let mut cache = KvCache::<Flex>::new(shape, DType::F32, &Default::default());
        let keys = tokens(0.0, 4);
        let last = cache.layer_mut(1);
        last.append(keys.clone(), tokens(1000.0, 4)).expect("room");
        cache.reorder_rows(&[1, 0, 0], 3);
        assert!(cache.layers()[0].is_empty());
        let tail = |keys: Tensor<Flex, 4>, row: usize| {
            keys.slice([row..row + 1, 0..2, 3..4, 0..4]).to_data()
        };
        for (row, source) in [1, 0, 0].into_iter().enumerate() {
            let moved = tail(cache.layers()[1].key(), row);
            assert_eq!(moved, tail(keys.clone(), source));
        }
    }

    #[test]
    fn rows_may_swap_places() {
        let rows = [1, 0, 0];
        let mut reordered = filled_cache();
        reordered.reorder_rows(&rows, 0);
        let mut selected = filled_cache();
        selected.select_rows(&rows);
        for (left, right) in reordered.layers().iter().zip(selected.layers()) {
            assert_eq!(left.key().to_data(), right.key().to_data());
            assert_eq!(left.value().to_data(), right.value().to_data());
        }
    }

    #[test]
    fn selected_rows_keep_their_room() {
        let mut cache = filled_cache();
        cache.select_rows(&[2, 0]);
        let expected = filled_cache().layers()[0].value().narrow(0, 2, 1).to_data();
        let layer = cache.layer_mut(0);
        assert_eq!(layer.value().narrow(0, 0, 1).to_data(), expected);
        let two = |len| tokens(0.0, len).narrow(0, 0, 2);
        layer.append(two(2), two(2)).expect("room for 6");
        assert!(layer.append(two(1), two(1)).is_err());

        let mut empty = KvCache::<Flex>::new(SHAPE, DType::F32, &Default::default());
        empty.select_rows(&[1]);
        assert_eq!(empty.layers()[0].key().dims(), [1, 2, 0, 4]);
    }

    #[test]
    fn a_cache_grows_and_keeps_what_it_has() {
        let before = filled_cache();
        let mut cache = filled_cache();
        cache.grow(5);
        cache.grow(8);
        let layer = cache.layer_mut(0);
        assert_eq!(layer.key().to_data(), before.layers()[0].key().to_data());
        assert_eq!(
            layer.value().to_data(),
            before.layers()[0].value().to_data()
        );
        layer.append(tokens(0.0, 4), tokens(0.0, 4)).expect("room");
        assert!(layer.append(tokens(0.0, 1), tokens(0.0, 1)).is_err());
    }

    #[test]
    fn caches_of_other_models_are_errors() {
        let cache = filled_cache();
        assert!(cache.check_model(1, 2, 4).is_ok());
        assert!(matches!(
            cache.check_model(2, 2, 4),
            Err(LlmError::CacheLayers {
                expected: 2,
                actual: 1
            })
        ));
        for (heads, dim_head) in [(1, 4), (2, 8)] {
            assert!(matches!(
                cache.check_model(1, heads, dim_head),
                Err(LlmError::CacheShape { .. })
            ));
        }
    }

    #[test]
    fn rows_before_the_common_prefix_stay() {
        let before = filled_cache();
        let mut cache = filled_cache();
        cache.reorder_rows(&[2, 1, 0], 3);
        let (before, after) = (before.layers()[0].key(), cache.layers()[0].key());
        let prefix = [0..3, 0..2, 0..3, 0..4];
        assert_eq!(
            after.clone().slice(prefix.clone()).to_data(),
            before.clone().slice(prefix).to_data()
        );
        assert_eq!(
            after.slice([0..1, 0..2, 3..4, 0..4]).to_data(),
            before.slice([2..3, 0..2, 3..4, 0..4]).to_data()
        );
    }
}
