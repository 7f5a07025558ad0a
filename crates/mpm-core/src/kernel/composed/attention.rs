//! Attention.

use burn::tensor::{
    BasicOps, Bool, Tensor,
    activation::softmax,
    backend::Backend,
    ops::{BoolTensor, FloatTensor},
};

use super::{super::AttentionGrads, primitive, tensor, widened};

/// Stands for minus infinity in masked scores: below all others, but finite, so that a row that
/// is masked throughout has finite gradients.
const MASKED_SCORE: f64 = -1.0e30;

/// Scores that are computed at once: half a gigabyte in f32, of which the softmax holds a few.
/// More queries are attended from in blocks, at least one at a time.
const MAX_SCORES: usize = 1 << 27;

/// See [`attention`](crate::kernel::attention()).
pub(in crate::kernel) fn attention<B: Backend>(
    query: FloatTensor<B>,
    key: FloatTensor<B>,
    value: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    hidden: Option<BoolTensor<B>>,
    scale: f64,
) -> FloatTensor<B> {
    attention_in_blocks::<B>([query, key, value], bias, hidden, scale, MAX_SCORES)
}

/// Attention of query, key and value by at most so many scores at once.
pub(in crate::kernel) fn attention_in_blocks<B: Backend>(
    inputs: [FloatTensor<B>; 3],
    bias: Option<FloatTensor<B>>,
    hidden: Option<BoolTensor<B>>,
    scale: f64,
    max_scores: usize,
) -> FloatTensor<B> {
    let [query, key, value] = inputs.map(tensor::<B, 4>);
    let bias = bias.map(tensor::<B, 4>);
    let hidden = hidden.map(Tensor::<B, 4, Bool>::from_primitive);
    let dtype = query.dtype();
    let (key, value) = (widened(key), value.cast(dtype));
    let [batch, heads, len_q, _] = query.dims();
    let of_a_query = batch * heads * key.dims()[2];
    let block = (max_scores / of_a_query.max(1)).max(1);
    let attend = |query, bias, hidden| {
        let weights = attention_weights(query, key.clone(), bias, hidden, scale);
        weights.cast(dtype).matmul(value.clone())
    };
    if len_q <= block {
        return primitive(attend(query, bias, hidden));
    }
    let blocks = (0..len_q).step_by(block).map(|start| {
        let len = block.min(len_q - start);
        attend(
            query.clone().narrow(2, start, len),
            bias.clone().map(|bias| of_queries(bias, start, len)),
            hidden.clone().map(|hidden| of_queries(hidden, start, len)),
        )
    });
    primitive(Tensor::cat(blocks.collect(), 2))
}

/// What belongs to some queries in a tensor that is broadcast to the scores.
fn of_queries<B: Backend, K: BasicOps<B>>(
    x: Tensor<B, 4, K>,
    start: usize,
    len: usize,
) -> Tensor<B, 4, K> {
    match x.dims()[2] {
        1 => x,
        _ => x.narrow(2, start, len),
    }
}

pub(in crate::kernel) fn attention_backward<B: Backend>(
    query: FloatTensor<B>,
    key: FloatTensor<B>,
    value: FloatTensor<B>,
    bias: Option<FloatTensor<B>>,
    hidden: Option<BoolTensor<B>>,
    scale: f64,
    grad: FloatTensor<B>,
) -> AttentionGrads<FloatTensor<B>> {
    let (query, key): (Tensor<B, 4>, Tensor<B, 4>) = (tensor(query), tensor(key));
    let (value, grad): (Tensor<B, 4>, Tensor<B, 4>) = (tensor(value), tensor(grad));
    let dtype = query.dtype();
    let bias = bias.map(tensor::<B, 4>);
    let bias_dims = bias.as_ref().map(Tensor::dims);
    let hidden = hidden.map(Tensor::<B, 4, Bool>::from_primitive);
    let weights = attention_weights(query.clone(), widened(key.clone()), bias, hidden, scale);

    let value_grad = weights.clone().cast(dtype).transpose().matmul(grad.clone());
    let weight_grad = widened(grad.matmul(value.transpose()));
    let mean = (weights.clone() * weight_grad.clone()).sum_dim(3);
    let score_grad = weights * (weight_grad - mean);
    let bias_grad = bias_dims.map(|dims| {
        let mut sum = score_grad.clone();
        for (dim, &size) in dims.iter().enumerate() {
            if size == 1 {
                sum = sum.sum_dim(dim);
            }
        }
        primitive(sum.cast(dtype))
    });
    let score_grad = score_grad.mul_scalar(scale).cast(dtype);
    AttentionGrads {
        query: primitive(score_grad.clone().matmul(key)),
        key: primitive(score_grad.transpose().matmul(query)),
        value: primitive(value_grad),
        bias: bias_grad,
    }
}

/// The softmax weights, in f32 or wider; zeros in rows that see nothing.
///
/// The key comes widened: what is multiplied in f16 is rounded to it, too, and infinite from 65520
/// on, whatever the sum was added up in. Scores of Stable Diffusion 2.1 are larger.
fn attention_weights<B: Backend>(
    query: Tensor<B, 4>,
    key: Tensor<B, 4>,
    bias: Option<Tensor<B, 4>>,
    hidden: Option<Tensor<B, 4, Bool>>,
    scale: f64,
) -> Tensor<B, 4> {
    let mut scores = widened(query).mul_scalar(scale).matmul(key.transpose());
    if let Some(bias) = bias {
        scores = scores + widened(bias);
    }
    match hidden {
        None => softmax(scores, 3),
        Some(hidden) => {
            let hidden = hidden.expand(scores.dims());
            softmax(scores.mask_fill(hidden.clone(), MASKED_SCORE), 3).mask_fill(hidden, 0.0)
        }
    }
}
