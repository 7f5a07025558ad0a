//! Bucketed position bias, `VisCPM/models/modules/position_embedding.py`.

use burn::{
    module::{Initializer, Module, Param},
    tensor::{Int, Tensor, backend::Backend},
};

use mpm_core::{MpmBackend, kernel::swapped};

use super::config::CpmBeeConfig;

/// A bias for each head and bucket, added to the attention scores.
///
/// Pairs of tokens within a segment share a bucket by their distance, pairs of
/// different segments by the relation of the segments ([`PositionBuckets`]).
#[derive(Module, Debug)]
pub struct PositionBias<B: Backend> {
    /// `[distance buckets + segment buckets, heads]`.
    pub relative_attention_bias: Param<Tensor<B, 2>>,
}

/// Which row of the table of biases belongs to a pair of tokens.
#[derive(Debug, Clone)]
pub struct PositionBuckets {
    /// Bucket of distance `i`; the last entry holds for all larger distances.
    by_distance: Vec<i32>,
    num_buckets: i32,
    num_segment_buckets: i32,
}

impl<B: Backend> PositionBias<B> {
    /// A table drawn from N(0, 1).
    pub fn new(config: &CpmBeeConfig, device: &B::Device) -> Self {
        let rows = config.position_bias_num_buckets + config.position_bias_num_segment_buckets;
        let unit = Initializer::Normal {
            mean: 0.0,
            std: 1.0,
        };
        Self {
            relative_attention_bias: unit.init([rows, config.num_heads], device),
        }
    }
}

impl<B: MpmBackend> PositionBias<B> {
    /// The biases of pairs of tokens.
    ///
    /// # Shapes
    /// - rows: `[batch, len_q, len_k]`, rows of the table as [`PositionBuckets::row`]
    ///   gives them
    /// - output: `[batch, heads, len_q, len_k]`
    pub fn forward(&self, rows: Tensor<B, 3, Int>) -> Tensor<B, 4> {
        let table = self.relative_attention_bias.val();
        let [_, heads] = table.dims();
        let [batch, len_q, len_k] = rows.dims();
        // Gathering for each head in turn leaves the keys innermost, as attention
        // reads them.
        let biases = table
            .transpose()
            .select(1, rows.reshape([batch * len_q * len_k]))
            .reshape([1, heads, batch, len_q * len_k]);
        swapped(biases).reshape([batch, heads, len_q, len_k])
    }
}

impl PositionBuckets {
    /// Half of `num_buckets` is for keys before the query, half for keys after
    /// it. Half of each half is for single distances, the rest grows
    /// logarithmically up to `max_distance`.
    pub fn new(num_buckets: usize, num_segment_buckets: usize, max_distance: usize) -> Self {
        let half = num_buckets / 2;
        let exact = half / 2;
        // f32, as in the reference: at the edge of a bucket the rounding decides.
        let scale = (max_distance as f64 / exact as f64).ln() as f32;
        let by_distance = (0..=max_distance).map(|distance| {
            if distance < exact {
                return distance as i32;
            }
            let ratio = (distance as f32 / exact as f32).ln() / scale;
            let large = exact as i32 + (ratio * (half - exact) as f32) as i32;
            large.min(half as i32 - 1)
        });
        Self {
            by_distance: by_distance.collect(),
            num_buckets: num_buckets as i32,
            num_segment_buckets: num_segment_buckets as i32,
        }
    }

    /// The buckets of a model.
    pub fn of(config: &CpmBeeConfig) -> Self {
        Self::new(
            config.position_bias_num_buckets,
            config.position_bias_num_segment_buckets,
            config.position_bias_max_distance,
        )
    }

    /// The bucket of a pair within one segment; `distance` is the key's position
    /// minus the query's.
    pub fn distance_bucket(&self, distance: i32) -> i32 {
        let last = self.by_distance.len() - 1;
        let bucket = self.by_distance[(distance.unsigned_abs() as usize).min(last)];
        if distance > 0 {
            bucket + self.num_buckets / 2
        } else {
            bucket
        }
    }

    /// The row of the table of biases; `None` where there is no such relation.
    ///
    /// Relation 0 is "the same segment", which is refined by the distance.
    pub fn row(&self, relation: i32, distance: i32) -> Option<i32> {
        match relation {
            0 => Some(self.distance_bucket(distance)),
            1.. if relation <= self.num_segment_buckets => Some(relation - 1 + self.num_buckets),
            _ => None,
        }
    }

    /// The largest relation that has a row.
    pub fn max_relation(&self) -> usize {
        self.num_segment_buckets as usize
    }
}
