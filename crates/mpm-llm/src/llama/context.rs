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
    /// How many of the first keys no window reaches.
    out_of_reach: usize,
}

/// The tokens that came before those that are read now.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Past<'a> {
    /// The tokens of each row, false for padding; empty where the rows begin.
    pub seen: &'a [Vec<bool>],
    /// Whether there may be padding; where there is none, nobody has to look for it.
    pub is_padded: bool,
}

impl<B: Backend> LayerContext<B> {
    /// For `input`, which goes on after `past`.
    pub(super) fn new(
        config: &LlamaConfig,
        past: Past<'_>,
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
            out_of_reach: out_of_reach(past, config.sliding_window),
        }
    }

    /// How many of the first keys a layer need not read, because it sees none of them.
    pub(super) fn out_of_reach(&self, is_sliding: bool) -> usize {
        match is_sliding {
            true => self.out_of_reach,
            false => 0,
        }
    }

    /// `[batch or 1, 1, group · len_q, len_k]`, true where a query must not see a key, of those
    /// that are not [out of reach](Self::out_of_reach); `None` where every query sees all these.
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

/// How many of the first keys lie before the window of the first query, and so of all.
fn out_of_reach(past: Past<'_>, window: Option<usize>) -> usize {
    let before = past.seen.first().map_or(0, Vec::len);
    window.map_or(0, |window| (before + 1).saturating_sub(window))
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
    /// Of the keys within reach; `None` where every query sees all of them.
    fn new(past: Past<'_>, input: &LlamaInput, window: Option<usize>) -> Option<Self> {
        let before = past.seen.first().map_or(0, Vec::len);
        let (len_q, end) = (input.seq_len, before + input.seq_len);
        let start = out_of_reach(past, window);
        let keys = |row: usize| {
            let new = &input.seen[row * len_q..(row + 1) * len_q];
            let keys = past.seen.get(row).into_iter().flatten().chain(new);
            keys.skip(start)
        };
        let is_padded = (past.is_padded || input.seen.contains(&false))
            && (0..input.batch).any(|row| keys(row).any(|&seen| !seen));
        if len_q == 1 && !is_padded {
            return None;
        }
        // Without padding, all rows are like the first.
        let rows = if is_padded { input.batch } else { 1 };
        let mut hidden = Vec::with_capacity(rows * len_q * (end - start));
        for row in 0..rows {
            for query in before..end {
                let first = window.map_or(0, |window| (query + 1).saturating_sub(window));
                hidden.extend(
                    (start..)
                        .zip(keys(row))
                        .map(|(key, &seen)| !seen || key < first || key > query),
                );
            }
        }
        hidden.contains(&true).then_some(Self {
            hidden,
            rows,
            len_q,
            len_k: end - start,
        })
    }

    /// `[rows, 1, group · len_q, len_k]`: the queries of a group of heads lie one after the other,
    /// and all of them see the same.
    fn into_tensor<B: Backend>(self, group: usize, device: &B::Device) -> Tensor<B, 4, Bool> {
        let Self {
            rows, len_q, len_k, ..
        } = self;
        let data = TensorData::new(self.hidden, [rows, 1, len_q, len_k]);
        let mask = Tensor::from_data(data, device);
        // Repeated on the device: a mask is large, and the way there is slow.
        match group {
            1 => mask,
            _ => mask
                .expand([rows, group, len_q, len_k])
                .reshape([rows, 1, group * len_q, len_k]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(past: &[Vec<bool>], seen: &[&[bool]], window: Option<usize>) -> Option<Vec<bool>> {
        let seen: Vec<Vec<bool>> = seen.iter().map(|row| row.to_vec()).collect();
        let input = LlamaInput::padded(&seen).expect("equal lengths");
        let past = Past {
            seen: past,
            is_padded: past.concat().contains(&false),
        };
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
        assert_eq!(mask(&[vec![true]], &[&[true]], Some(2)), None);
    }

    #[test]
    fn keys_before_all_windows_are_not_read() {
        // Of five keys a single query reads two, two queries read three.
        assert_eq!(mask(&[vec![true; 4]], &[&[true]], Some(2)), None);
        let two = mask(&[vec![true; 3]], &[&[true; 2]], Some(2));
        assert_eq!(two, Some(vec![O, O, X, X, O, O]));
        // Padding counts where it is read.
        let far = [vec![false, true, true, true], vec![true; 4]];
        assert_eq!(mask(&far, &[&[true], &[true]], Some(2)), None);
        let near = [vec![true, true, true, false], vec![true; 4]];
        let near = mask(&near, &[&[true], &[true]], Some(2));
        assert_eq!(near, Some(vec![X, O, O, O]));
    }

    #[test]
    fn the_heads_of_a_group_see_the_same() {
        let mask = Mask {
            hidden: vec![O, X, O, O, X, X, X, O],
            rows: 2,
            len_q: 2,
            len_k: 2,
        };
        let folded = mask.into_tensor::<burn::backend::Flex>(2, &Default::default());
        assert_eq!(folded.dims(), [2, 1, 4, 2]);
        let folded: Vec<bool> = folded.into_data().iter().collect();
        let expected = [O, X, O, O, O, X, O, O, X, X, X, O, X, X, X, O];
        assert_eq!(folded, expected);
    }
}
