//! Rotary positions, `apply_rotary_pos_emb` of `transformers`.

use burn::tensor::{DType, Tensor, TensorData, backend::Backend};
use mpm_core::recompute::Detach;

use super::{config::LlamaConfig, input::LlamaInput};

/// The rotations of some tokens, which all layers share.
#[derive(Clone, Debug)]
pub struct Rotation<B: Backend> {
    /// `[batch or 1, 1, seq, head_dim / 2]`
    cos: Tensor<B, 4>,
    /// `[batch or 1, 1, seq, head_dim / 2]`
    sin: Tensor<B, 4>,
}

impl<B: Backend> Rotation<B> {
    /// Rotations by the positions of `input`, with the frequencies of its whole text.
    ///
    /// Angles are computed in f32 whatever `dtype` the result has: half precision would confuse
    /// neighbouring positions from 2048 on.
    pub(super) fn new(
        config: &LlamaConfig,
        input: &LlamaInput,
        dtype: DType,
        device: &B::Device,
    ) -> Self {
        let frequencies = config.rope.frequencies(config.head_dim, input.text_len());
        let factor = config.rope.attention_factor() as f32;
        let positions = match input.rows_are_alike() {
            true => &input.positions[..input.seq_len],
            false => &input.positions,
        };
        let rows = positions.len() / input.seq_len;
        let table = |function: fn(f32) -> f32| {
            let values: Vec<f32> = positions
                .iter()
                .flat_map(|&position| frequencies.iter().map(move |f| position as f32 * f))
                .map(|angle| function(angle) * factor)
                .collect();
            let dims = [rows, 1, input.seq_len, frequencies.len()];
            Tensor::from_data(TensorData::new(values, dims), (device, dtype))
        };
        Self {
            cos: table(f32::cos),
            sin: table(f32::sin),
        }
    }

    /// Rotates each pair of dimensions `(i, i + head_dim / 2)`.
    ///
    /// # Shapes
    /// - x, output: `[batch, heads, seq, head_dim]`
    pub fn apply(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let half = x.dims()[3] / 2;
        let (left, right) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
        let (cos, sin) = (&self.cos, &self.sin);
        let turned_left = left.clone() * cos.clone() - right.clone() * sin.clone();
        let turned_right = right * cos.clone() + left * sin.clone();
        Tensor::cat(vec![turned_left, turned_right], 3)
    }
}

impl<B: Backend> Detach for Rotation<B> {
    fn detached(&self) -> Self {
        self.clone()
    }
}
