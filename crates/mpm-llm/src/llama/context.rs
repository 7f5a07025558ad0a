//! What all layers share while they read some tokens.

use burn::tensor::{Bool, DType, Tensor, TensorData, backend::Backend};
use mpm_core::recompute::Detach;

use super::{config::LlamaConfig, input::LlamaInput, rope::Rotation};

/// Rotations and masks of some tokens.
#[derive(Clone, Debug)]
pub struct LayerContext<B: Backend> {
    /// The rotations.
    pub(super) rotation: Rotation<B>,
    hidden: Option<Tensor<B, 4, Bool>>,
    /// Of the layers that see a window only; `None` where it hides nothing.
    sliding: Option<Tensor<B, 4, Bool>>,
}

impl<B: Backend> LayerContext<B> {
    /// For `input`, whose rows go on after the tokens of `past`, false for padding; `past` is
    /// empty where the rows begin.
    pub(super) fn new(
        config: &LlamaConfig,
        past: &[Vec<bool>],
        input: &LlamaInput,
        dtype: DType,
        device: &B::Device,
    ) -> Self {
        let mask = |window| {
            let mask = Mask::new(past, input, window)?;
            Some(mask.into_tensor(config.group(), device))
        };
        let layers = 0..config.num_hidden_layers;
        let sliding = layers.filter(|&layer| config.is_sliding(layer)).count();
        Self {
            rotation: Rotation::new(config, input, dtype, device),
            hidden: match sliding < config.num_hidden_layers {
                true => mask(None),
                false => None,
            },
            sliding: match sliding > 0 {
                true => mask(config.sliding_window),
                false => None,
            },
        }
    }

    /// `[batch or 1, 1, group · len_q, len_k]`, true where a query must not see a key; `None` where
    /// every query sees every key.
    pub(super) fn hidden(&self, is_sliding: bool) -> Option<Tensor<B, 4, Bool>> {
        match is_sliding {
            true => self.sliding.clone(),
            false => self.hidden.clone(),
        }
    }
}

impl<B: Backend> Detach for LayerContext<B> {
    fn detached(&self) -> Self {
        self.clone()
    }
}

/// Which tokens see which.
struct Mask {
    /// True where a query must not see a key, `[rows, len_q, len_k]`.
    hidden: Vec<bool>,
    rows: usize,
    len_q: usize,
    len_k: usize,
}

impl Mask {
    /// `None` where every query sees every key.
    fn new(past: &[Vec<bool>], input: &LlamaInput, window: Option<usize>) -> Option<Self> {
        let before = past.first().map_or(0, Vec::len);
        let (len_q, len_k) = (input.seq_len, before + input.seq_len);
        let keys = |row: usize| {
            let new = &input.seen[row * len_q..(row + 1) * len_q];
            past.get(row).into_iter().flatten().chain(new)
        };
        // Without padding, all rows are like the first.
        let rows = match (0..input.batch).all(|row| keys(row).all(|&seen| seen)) {
            true => 1,
            false => input.batch,
        };
        let mut hidden = Vec::with_capacity(rows * len_q * len_k);
        for row in 0..rows {
            for query in before..len_k {
                let first = window.map_or(0, |window| (query + 1).saturating_sub(window));
                hidden.extend(
                    keys(row)
                        .enumerate()
                        .map(|(key, &seen)| !seen || key < first || key > query),
                );
            }
        }
        hidden.contains(&true).then_some(Self {
            hidden,
            rows,
            len_q,
            len_k,
        })
    }

    /// `[rows, 1, group · len_q, len_k]`: the queries of a group of heads lie one after the other.
    fn into_tensor<B: Backend>(self, group: usize, device: &B::Device) -> Tensor<B, 4, Bool> {
        let rows = self.hidden.chunks_exact(self.len_q * self.len_k);
        let folded: Vec<bool> = rows.flat_map(|row| row.repeat(group)).collect();
        let dims = [self.rows, 1, group * self.len_q, self.len_k];
        Tensor::from_data(TensorData::new(folded, dims), device)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(past: &[Vec<bool>], seen: &[&[bool]], window: Option<usize>) -> Option<Vec<bool>> {
        let seen: Vec<Vec<bool>> = seen.iter().map(|row| row.to_vec()).collect();
        let input = LlamaInput::padded(&seen).expect("equal lengths");
        Mask::new(past, &input, window).map(|mask| mask.hidden)
    }

    const O: bool = false;
    const X: bool = true;

    #[test]
    fn nobody_sees_the_future() {
        let triangle = [O, X, X, O, O, X, O, O, O];
        assert_eq!(
            mask(&[], &[&[true; 3], &[true; 3]], None),
            Some(triangle.to_vec())
        );
        assert_eq!(mask(&[vec![true; 2]], &[&[true]], None), None);
        assert_eq!(
            mask(&[vec![true; 2]], &[&[true; 2]], None),
            Some(vec![O, O, O, X, O, O, O, O])
        );
    }

    #[test]
    fn nobody_sees_padding() {
        let rows: [&[bool]; 2] = [&[true, true], &[false, true]];
        assert_eq!(mask(&[], &rows, None), Some(vec![O, X, O, O, X, X, X, O]));
        assert_eq!(mask(&[vec![false]], &[&[true]], None), Some(vec![X, O]));
    }

    #[test]
    fn a_window_ends_with_the_token_itself() {
        let band = [O, X, X, O, O, X, X, O, O];
        assert_eq!(mask(&[], &[&[true; 3]], Some(2)), Some(band.to_vec()));
        let step = mask(&[vec![true; 3]], &[&[true]], Some(2));
        assert_eq!(step, Some(vec![X, X, O, O]));
        assert_eq!(mask(&[vec![true]], &[&[true]], Some(2)), None);
    }
}
