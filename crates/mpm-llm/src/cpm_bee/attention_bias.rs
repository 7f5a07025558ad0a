//! What every layer needs to know about queries and keys, computed once for all of them.

use burn::{
    module::Module,
    tensor::{Bool, Int, Tensor, TensorData, backend::Backend, s},
};
use mpm_core::{
    kernel::{MpmBackend, attention},
    recompute::Detach,
};

use super::{position_bias::PositionBias, relation::Relations};

/// Biases that are kept in memory, at most: 2²⁶, which is 256 MiB in f32, or 1448 tokens
/// that see each other with 32 heads. Of longer prompts, every layer gathers the biases of
/// so many queries at a time that they are not more.
const MAX_BIASES: usize = 1 << 26;

/// The position bias and the mask of a step.
#[derive(Debug, Clone)]
pub struct AttentionBias<B: Backend> {
    bias: Bias<B>,
    /// `None` where every query sees every key, as those of an answer do.
    hidden: Option<Tensor<B, 4, Bool>>,
}

#[derive(Debug, Clone)]
enum Bias<B: Backend> {
    /// `[batch or 1, heads, len_q, len_k]`
    Whole(Tensor<B, 4>),
    /// Gathered for some queries at a time.
    Rows {
        table: PositionBias<B>,
        /// Of the table: `[batch or 1, len_q, len_k]`.
        rows: Tensor<B, 3, Int>,
        queries_at_a_time: usize,
    },
}

impl<B: MpmBackend> AttentionBias<B> {
    /// From biases that are there.
    ///
    /// # Shapes
    /// - bias: `[batch or 1, heads, len_q, len_k]`, added to the scores
    /// - hidden: `[batch or 1, 1, len_q, len_k]`, true where the query must not see the key; `None`
    ///   for nowhere
    pub fn new(bias: Tensor<B, 4>, hidden: Option<Tensor<B, 4, Bool>>) -> Self {
        Self {
            bias: Bias::Whole(bias),
            hidden,
        }
    }

    /// All biases, gathered now if they are not kept: `[batch or 1, heads, len_q, len_k]`.
    pub fn bias(&self) -> Tensor<B, 4> {
        match &self.bias {
            Bias::Whole(bias) => bias.clone(),
            Bias::Rows { table, rows, .. } => table.forward(rows.clone()),
        }
    }

    /// True where the query must not see the key: `[batch or 1, 1, len_q, len_k]`, `None` for
    /// nowhere.
    pub fn hidden(&self) -> Option<Tensor<B, 4, Bool>> {
        self.hidden.clone()
    }

    pub(super) fn of(table: &PositionBias<B>, relations: Relations) -> Self {
        Self::with_at_most(MAX_BIASES, table, relations)
    }

    fn with_at_most(biases: usize, table: &PositionBias<B>, relations: Relations) -> Self {
        let Relations {
            batch,
            len_q,
            len_k,
            buckets,
            hidden,
        } = relations;
        let [_, heads] = table.relative_attention_bias.dims();
        let device = table.relative_attention_bias.device();
        let rows = TensorData::new(buckets, [batch, len_q, len_k]);
        let rows = Tensor::<B, 3, Int>::from_data(rows, &device);
        let hidden = hidden.contains(&true).then(|| {
            let hidden = TensorData::new(hidden, [batch, 1, len_q, len_k]);
            Tensor::from_data(hidden, &device)
        });
        let of_a_query = (batch * heads * len_k).max(1);
        let bias = if of_a_query * len_q <= biases {
            Bias::Whole(table.forward(rows))
        } else {
            Bias::Rows {
                table: table.clone(),
                rows,
                queries_at_a_time: (biases / of_a_query).max(1),
            }
        };
        Self { bias, hidden }
    }
}

impl<B: Backend> Detach for AttentionBias<B> {
    fn detached(&self) -> Self {
        let bias = match &self.bias {
            Bias::Whole(bias) => Bias::Whole(bias.detached()),
            Bias::Rows {
                table,
                rows,
                queries_at_a_time,
            } => Bias::Rows {
                table: table.clone().no_grad(),
                rows: rows.clone(),
                queries_at_a_time: *queries_at_a_time,
            },
        };
        Self {
            bias,
            hidden: self.hidden.clone(),
        }
    }
}

impl<B: MpmBackend> AttentionBias<B> {
    /// [`attention`] with this bias and mask.
    ///
    /// # Shapes
    /// - query, output: `[batch, heads, len_q, dim_head]`
    /// - key, value: `[batch, heads, len_k, dim_head]`
    pub fn attend(
        &self,
        query: Tensor<B, 4>,
        key: Tensor<B, 4>,
        value: Tensor<B, 4>,
        scale: f64,
    ) -> Tensor<B, 4> {
        let (table, rows, at_a_time) = match &self.bias {
            Bias::Whole(bias) => {
                let (bias, hidden) = (Some(bias.clone()), self.hidden());
                return attention(query, key, value, bias, hidden, scale);
            }
            Bias::Rows {
                table,
                rows,
                queries_at_a_time,
            } => (table, rows, *queries_at_a_time),
        };
        let len_q = query.dims()[2];
        let blocks = (0..len_q).step_by(at_a_time).map(|start| {
            let queries = start..len_q.min(start + at_a_time);
            let bias = table.forward(rows.clone().slice(s![.., queries.clone(), ..]));
            let hidden = self.hidden();
            let hidden = hidden.map(|hidden| hidden.slice(s![.., .., queries.clone(), ..]));
            attention(
                query.clone().slice(s![.., .., queries, ..]),
                key.clone(),
                value.clone(),
                Some(bias),
                hidden,
                scale,
            )
        });
        Tensor::cat(blocks.collect(), 2)
    }
}

#[cfg(test)]
mod tests {
    use burn::{
        backend::Flex,
        tensor::{Distribution, Tolerance},
    };

    use super::*;
    use crate::cpm_bee::CpmBeeConfig;

    const BATCH: usize = 2;
    const LEN_Q: usize = 7;
    const LEN_K: usize = 9;

    fn relations(is_hidden: impl Fn(usize) -> bool) -> Relations {
        let count = BATCH * LEN_Q * LEN_K;
        Relations {
            batch: BATCH,
            len_q: LEN_Q,
            len_k: LEN_K,
            buckets: (0..count as i32).map(|i| i % 13).collect(),
            hidden: (0..count).map(is_hidden).collect(),
        }
    }

    #[test]
    fn blocks_of_queries_give_what_all_of_them_give() {
        for hidden_in_five in [0, 1] {
            blocks_give_what_all_give(relations(|pair| pair % 5 < hidden_in_five));
        }
    }

    fn blocks_give_what_all_give(relations: Relations) {
        let config = CpmBeeConfig::tiny();
        let device = Default::default();
        let table = PositionBias::<Flex>::new(&config, &device);
        let random = |len| {
            let shape = [BATCH, config.num_heads, len, config.dim_head];
            Tensor::<Flex, 4>::random(shape, Distribution::Default, &device)
        };
        let (query, key, value) = (random(LEN_Q), random(LEN_K), random(LEN_K));
        let attend = |biases| {
            AttentionBias::with_at_most(biases, &table, relations.clone())
                .attend(query.clone(), key.clone(), value.clone(), 0.5)
                .into_data()
        };
        let whole = attend(usize::MAX);
        // One, two and three queries at a time, and fewer than one asked for.
        let of_a_query = BATCH * config.num_heads * LEN_K;
        for biases in [1, of_a_query, 2 * of_a_query + 1, 3 * of_a_query] {
            // The products are the same; only how they are cut into tiles differs.
            attend(biases).assert_approx_eq::<f32>(&whole, Tolerance::absolute(1e-6));
        }
    }

    #[test]
    fn there_is_a_mask_only_where_it_hides_something() {
        let table = PositionBias::<Flex>::new(&CpmBeeConfig::tiny(), &Default::default());
        let hidden = |relations| AttentionBias::of(&table, relations).hidden();
        assert!(hidden(relations(|_| false)).is_none());
        let last = BATCH * LEN_Q * LEN_K - 1;
        let mask = hidden(relations(|pair| pair == last)).expect("hides the last pair");
        assert_eq!(mask.dims(), [BATCH, 1, LEN_Q, LEN_K]);
        let pairs: Vec<bool> = mask.into_data().iter().collect();
        assert_eq!(pairs.iter().position(|&hidden| hidden), Some(last));
    }
}
