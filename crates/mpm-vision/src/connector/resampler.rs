//! Learned queries that read an encoder's features by one attention.
//!
//! Source: `resampler.py` of MiniCPM-V 2.0 to 2.6 (<https://arxiv.org/abs/2408.01800>).

use burn::{
    module::{Initializer, Module, Param, ParamId},
    tensor::{Tensor, backend::Backend},
};
use mpm_core::{
    MpmBackend, linear_layers,
    nn::{LayerNorm, TorchLinear},
};
use serde::{Deserialize, Serialize};

use super::grid_positions;
use crate::{
    VisionError,
    check::{check_eps, check_sizes, require},
    packed_attention::PackedAttention,
};

/// Width of a head, of which the published resamplers have as many as fit.
const DIM_HEAD: usize = 128;

/// Deviation of fresh queries.
const QUERY_STD: f64 = 0.02;

/// Architecture of a [`Resampler`]; the default is that of MiniCPM-V 2.5 and 2.6.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResamplerConfig {
    /// Number of learned queries, which is the number of features per picture.
    pub num_queries: usize,
    /// Number of attention heads; `None` for one to each 128 of the language model's width, as
    /// published.
    pub num_heads: Option<usize>,
    /// Whether the queries are the places of a square grid and have its positions, as in
    /// MiniCPM-V 2.0 (`pos_embed` in its files).
    pub query_positions: bool,
    /// Added to the variance in every layer norm.
    pub layer_norm_eps: f64,
}

impl Default for ResamplerConfig {
    fn default() -> Self {
        Self {
            num_queries: 64,
            num_heads: None,
            query_positions: false,
            layer_norm_eps: 1e-6,
        }
    }
}

impl ResamplerConfig {
    /// Checks what [`init`](Self::init) relies on, for a language model of width `d_llm`.
    ///
    /// # Errors
    /// [`VisionError::Config`] with the first field that is out of range or does not divide as it
    /// has to.
    pub fn validate(&self, d_llm: usize) -> Result<(), VisionError> {
        check_sizes([("num_queries", self.num_queries), ("d_llm", d_llm)])?;
        check_eps("layer_norm_eps", self.layer_norm_eps)?;
        require(d_llm.is_multiple_of(4), "d_llm", d_llm, || {
            "it must be a multiple of 4, for the positions of patches".to_owned()
        })?;
        match self.num_heads {
            None => require(d_llm.is_multiple_of(DIM_HEAD), "d_llm", d_llm, || {
                format!("without num_heads it must be a multiple of {DIM_HEAD}")
            })?,
            Some(heads) => {
                check_sizes([("num_heads", heads)])?;
                require(d_llm.is_multiple_of(heads), "num_heads", heads, || {
                    format!("it must divide d_llm {d_llm}")
                })?;
            }
        }
        let (queries, side) = (self.num_queries, self.num_queries.isqrt());
        let fits = !self.query_positions || side * side == queries;
        require(fits, "num_queries", queries, || {
            "with query_positions it must be a square number".to_owned()
        })
    }

    /// Makes a resampler with random weights, from `d_in` to `d_llm`.
    ///
    /// # Errors
    /// See [`validate`](Self::validate).
    pub fn init<B: Backend>(
        &self,
        d_in: usize,
        d_llm: usize,
        device: &B::Device,
    ) -> Result<Resampler<B>, VisionError> {
        self.validate(d_llm)?;
        check_sizes([("d_in", d_in)])?;
        let normal = |std| Initializer::Normal { mean: 0.0, std };
        let norm = || LayerNorm::new(d_llm, self.layer_norm_eps, device);
        let num_heads = self.num_heads.unwrap_or(d_llm / DIM_HEAD);
        let scale = (d_llm as f64).powf(-0.5);
        Ok(Resampler {
            query: normal(QUERY_STD).init([self.num_queries, d_llm], device),
            pos_embed: self
                .query_positions
                .then(|| query_positions(self.num_queries, d_llm, device)),
            kv_proj: (d_in != d_llm).then(|| TorchLinear::new(d_in, d_llm, device).without_bias()),
            attn: PackedAttention::new(d_llm, num_heads, device),
            ln_q: norm(),
            ln_kv: norm(),
            ln_post: norm(),
            proj: normal(scale).init([d_llm, d_llm], device),
        })
    }
}

/// Queries, an attention and a projection; made by [`ResamplerConfig::init`].
#[derive(Module, Debug)]
pub struct Resampler<B: Backend> {
    /// The learned queries, `[num_queries, d_llm]`.
    pub query: Param<Tensor<B, 2>>,
    /// The queries' positions in a square grid, `[num_queries, d_llm]`, which do not train; see
    /// [`ResamplerConfig::query_positions`].
    pub pos_embed: Option<Param<Tensor<B, 2>>>,
    /// From the encoder's width to `d_llm`, without a bias; `None` where they are equal.
    pub kv_proj: Option<TorchLinear<B>>,
    /// How the queries read the features.
    pub attn: PackedAttention<B>,
    /// Norm of the queries.
    pub ln_q: LayerNorm<B>,
    /// Norm of the features.
    pub ln_kv: LayerNorm<B>,
    /// Norm of what was read.
    pub ln_post: LayerNorm<B>,
    /// The last projection, `[d_llm, d_llm]`: rows are inputs, other than in a linear layer, as
    /// which it is therefore not listed.
    pub proj: Param<Tensor<B, 2>>,
}

linear_layers!(Resampler { kv_proj, attn });

impl<B: MpmBackend> Resampler<B> {
    /// Reads features of a grid of patches of any size.
    ///
    /// # Shapes
    /// - features: `[batch, rows · columns, d_in]`, row by row
    /// - grid: `[rows, columns]`
    /// - output: `[batch, num_queries, d_llm]`
    ///
    /// # Panics
    /// When the features have another width or number.
    pub fn forward(&self, features: Tensor<B, 3>, grid: [usize; 2]) -> Tensor<B, 3> {
        let value = match &self.kv_proj {
            Some(kv_proj) => kv_proj.forward(features),
            None => features,
        };
        let value = self.ln_kv.forward(value);
        let ([_, count, width], [rows, columns]) = (value.dims(), grid);
        assert!(
            count == rows * columns,
            "{count} features are not those of a grid of {rows} x {columns}"
        );
        let positions = grid_positions::<B>(width, grid, &value.device()).cast(value.dtype());
        let key = value.clone() + positions.unsqueeze();
        let read = self.attn.forward(self.queries(), key, value);
        let dims @ [batch, queries, _] = read.dims();
        let normed = self.ln_post.forward(read);
        let rows = normed.reshape([batch * queries, width]);
        rows.matmul(self.proj.val()).reshape(dims)
    }

    /// What asks, `[1, num_queries, d_llm]`.
    fn queries(&self) -> Tensor<B, 3> {
        let queries = self.ln_q.forward(self.query.val());
        let queries = match &self.pos_embed {
            Some(positions) => queries + positions.val(),
            None => queries,
        };
        queries.unsqueeze()
    }
}

/// Positions that are computed when they are first read, so that loading replaces them for nothing.
fn query_positions<B: Backend>(
    num_queries: usize,
    width: usize,
    device: &B::Device,
) -> Param<Tensor<B, 2>> {
    Param::uninitialized(
        ParamId::new(),
        move |device, _| {
            let side = num_queries.isqrt();
            grid_positions(width, [side, side], device)
        },
        device.clone(),
        false,
        [num_queries, width].into(),
    )
}
