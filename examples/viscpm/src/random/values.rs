//! Random weights that a model can compute with: its numbers stay of a size.

use std::collections::VecDeque;

use half::f16;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;

use crate::args::RandomDtype;

/// How the values of a tensor are distributed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Values {
    /// All the same.
    Constant(f32),
    /// From a normal distribution around 0 of this standard deviation.
    Normal(f32),
}

impl Values {
    fn of(name: &str, shape: &[usize]) -> Self {
        let is_norm = name.contains("norm") || name.contains("ln");
        match shape {
            _ if name.ends_with("bias") => Self::Constant(0.0),
            [_] if is_norm => Self::Constant(1.0),
            // CPM-Bee scales the inputs of its layers instead.
            _ if name.starts_with("llm.") => Self::Normal(1.0),
            [_, inputs @ ..] => {
                let inputs: usize = inputs.iter().product();
                Self::Normal((inputs as f32).sqrt().recip())
            }
            [] => Self::Constant(1.0),
        }
    }
}

/// Values that are drawn at a time, each time from a stream of their own.
const PIECE: usize = 1 << 18;

/// The bytes of a tensor, piece by piece.
pub struct Bytes {
    values: Values,
    dtype: RandomDtype,
    /// How many values there are.
    count: usize,
    seed: u64,
    /// The stream of the first piece.
    stream: u64,
    /// How many pieces have been drawn.
    drawn: usize,
    /// Those that come next.
    next: VecDeque<Vec<u8>>,
}

impl Bytes {
    /// Those of the tensor `index` of a checkpoint.
    pub fn new(name: &str, shape: &[usize], dtype: RandomDtype, seed: u64, index: usize) -> Self {
        Self {
            values: Values::of(name, shape),
            dtype,
            count: shape.iter().product(),
            seed,
            stream: (index as u64) << 32,
            drawn: 0,
            next: VecDeque::new(),
        }
    }

    fn piece(&self, number: usize) -> Vec<u8> {
        let mut random = ChaCha8Rng::seed_from_u64(self.seed);
        random.set_stream(self.stream + number as u64);
        let count = PIECE.min(self.count - number * PIECE);
        let mut bytes = Vec::with_capacity(count * size_of::<f32>());
        for _ in 0..count {
            let value = match self.values {
                Values::Constant(value) => value,
                Values::Normal(deviation) => deviation * random.sample::<f32, _>(StandardNormal),
            };
            match self.dtype {
                RandomDtype::F32 => bytes.extend(value.to_le_bytes()),
                RandomDtype::F16 => bytes.extend(f16::from_f32(value).to_le_bytes()),
            }
        }
        bytes
    }
}

impl Iterator for Bytes {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        if self.next.is_empty() {
            let end = self.drawn + rayon::current_num_threads();
            let pieces = self.drawn..end.min(self.count.div_ceil(PIECE));
            self.drawn = pieces.end;
            let pieces: Vec<_> = pieces
                .into_par_iter()
                .map(|number| self.piece(number))
                .collect();
            self.next = pieces.into();
        }
        self.next.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_of_the_size_that_their_layer_needs() {
        let values = Values::of("vpm.beit3.encoder.layers.0.fc1.A.weight", &[64, 16]);
        assert_eq!(values, Values::Normal(0.25));
        let values = Values::of("unet.conv_in.weight", &[320, 4, 2, 2]);
        assert_eq!(values, Values::Normal(0.25));
        let values = Values::of("llm.encoder.layers.0.ffn.ffn.w_out.weight", &[64, 16]);
        assert_eq!(values, Values::Normal(1.0));
        let norm = "llm.encoder.output_layernorm.weight";
        assert_eq!(Values::of(norm, &[64]), Values::Constant(1.0));
        let bias = "vpm.beit3.encoder.layers.0.fc1.A.bias";
        assert_eq!(Values::of(bias, &[64]), Values::Constant(0.0));
    }

    #[test]
    fn the_seed_decides() {
        let bytes = |seed, index| -> Vec<u8> {
            Bytes::new("x.weight", &[30, 10], RandomDtype::F16, seed, index)
                .flatten()
                .collect()
        };
        assert_eq!(bytes(1, 2).len(), 600);
        assert_eq!(bytes(1, 2), bytes(1, 2));
        assert_ne!(bytes(1, 2), bytes(2, 2));
        assert_ne!(bytes(1, 2), bytes(1, 3));
    }
}
