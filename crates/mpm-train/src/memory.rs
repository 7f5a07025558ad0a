//! How much memory training takes, before it starts.

use std::fmt;

use burn::tensor::DType;

use crate::freeze::ParameterTable;
use crate::{ComputePrecision, TrainerConfig};

/// Bytes of each part of a run, on its device.
///
/// Parameters, gradients and moments are exact. Activations are what the caller measures or
/// estimates for one forward pass; temporary memory of single operations is not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemoryEstimate {
    /// The parameters that train, in f32.
    pub trainable: u64,
    /// The frozen ones, in the type to compute in.
    pub frozen: u64,
    /// The copy to compute with, in half precision.
    pub compute_copy: u64,
    /// The sum of gradients, and that of the pass at hand, in f32.
    pub gradients: u64,
    /// Both moments of the optimizer, in f32.
    pub moments: u64,
    /// The running average.
    pub average: u64,
    /// What passes keep for their gradients.
    pub activations: u64,
}

impl MemoryEstimate {
    /// The estimate for a model's parameters. `activations` is in bytes of one forward pass.
    pub fn new(table: &ParameterTable, config: &TrainerConfig, activations: u64) -> Self {
        const F32: u64 = 4;
        let half = config.precision.half();
        let elements = |row: &crate::pattern::ParameterInfo| row.elements() as u64;
        let trainable: u64 = table.trainable().map(elements).sum();
        let frozen = table.frozen().map(|row| {
            let dtype = half.unwrap_or(row.dtype);
            elements(row) * size(dtype)
        });
        let passes = config.workers.min(config.accumulation).get() as u64;
        Self {
            trainable: trainable * F32,
            frozen: frozen.sum(),
            compute_copy: half.map_or(0, |half| trainable * size(half)),
            gradients: trainable * F32 * (1 + passes),
            moments: trainable * F32 * 2,
            average: config.average_decay.map_or(0, |_| trainable * F32),
            activations: activations * passes,
        }
    }

    /// All parts together.
    pub fn total(&self) -> u64 {
        self.parts().iter().map(|(_, bytes)| bytes).sum()
    }

    fn parts(&self) -> [(&'static str, u64); 7] {
        [
            ("parameters that train", self.trainable),
            ("frozen parameters", self.frozen),
            ("copy in half precision", self.compute_copy),
            ("gradients", self.gradients),
            ("moments", self.moments),
            ("running average", self.average),
            ("activations", self.activations),
        ]
    }
}

fn size(dtype: DType) -> u64 {
    dtype.size() as u64
}

impl fmt::Display for MemoryEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        for (name, bytes) in self.parts() {
            if bytes > 0 {
                writeln!(f, "{:>12.1} MiB  {name}", mib(bytes))?;
            }
        }
        write!(f, "{:>12.1} MiB  in all", mib(self.total()))
    }
}

/// Bytes that the layers of a transformer keep for their gradients in one forward pass.
///
/// For each layer and token 17 vectors of the model's width at a feed-forward width four times
/// as large, as "Reducing Activation Recomputation in Large Transformer Models"
/// (<https://arxiv.org/abs/2205.05198>, section 4.1) counts them, without dropout; attention
/// scores are not kept. Where layers are computed again, each keeps its input only, and one
/// layer at a time all of it.
#[derive(Debug, Clone, Copy)]
pub struct TransformerActivations {
    /// Rows times their length.
    pub tokens: usize,
    /// Width of the model.
    pub d_model: usize,
    /// Width of the feed-forward layers.
    pub d_ff: usize,
    /// How many feed-forward activations a token has: 3 where they are gated, else 2.
    pub ff_vectors: usize,
    /// Number of layers.
    pub layers: usize,
    /// Whether layers are computed again.
    pub recompute: bool,
}

impl TransformerActivations {
    /// The bytes in a precision.
    pub fn bytes(&self, precision: ComputePrecision) -> u64 {
        // Input, norm, query, key, value, attention's output, residual, norm, residual.
        const VECTORS: usize = 9;
        let layer = VECTORS * self.d_model + self.ff_vectors * self.d_ff;
        let kept = match self.recompute {
            true => self.layers * self.d_model + layer,
            false => self.layers * layer,
        };
        let bytes = precision.half().map_or(4, size);
        (self.tokens * kept) as u64 * bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests fail by panicking")]
    use super::*;
    use crate::Schedule;
    use crate::freeze::freeze;
    use crate::pattern::PathPattern;
    use burn::backend::{Autodiff, Flex};
    use burn::nn::LinearConfig;

    type B = Autodiff<Flex>;

    #[test]
    fn the_parts_of_mixed_precision_are_counted() {
        let layer = LinearConfig::new(10, 20).init::<B>(&Default::default());
        let layer = freeze::<B, _>(layer, &[PathPattern::new("bias")]).unwrap();
        let table = ParameterTable::new::<B, _>(&layer);
        let mut config = TrainerConfig::new(1, Schedule::constant(1e-3));
        let full = MemoryEstimate::new(&table, &config, 1000);
        let expected = MemoryEstimate {
            trainable: 800,
            frozen: 80,
            gradients: 1600,
            moments: 1600,
            activations: 1000,
            ..MemoryEstimate::default()
        };
        assert_eq!(full, expected);

        config.precision = ComputePrecision::F16;
        config.average_decay = Some(0.99);
        let half = MemoryEstimate::new(&table, &config, 1000);
        assert_eq!(
            (half.frozen, half.compute_copy, half.average),
            (40, 400, 800)
        );
        assert_eq!(half.total(), 800 + 40 + 400 + 1600 + 1600 + 800 + 1000);
        assert!(half.to_string().ends_with("MiB  in all"));
    }

    #[test]
    fn layers_computed_again_keep_their_inputs() {
        let mut layers = TransformerActivations {
            tokens: 100,
            d_model: 8,
            d_ff: 32,
            ff_vectors: 2,
            layers: 10,
            recompute: false,
        };
        assert_eq!(
            layers.bytes(ComputePrecision::F32),
            100 * 10 * (72 + 64) * 4
        );
        layers.recompute = true;
        let bytes = layers.bytes(ComputePrecision::Bf16);
        assert_eq!(bytes, 100 * (10 * 8 + 72 + 64) * 2);
    }
}
