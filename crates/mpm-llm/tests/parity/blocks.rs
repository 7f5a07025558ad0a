//! `c_blocks_*`: norm, linear, embedding, position bias, attention, feed-forward.

use burn::tensor::{DType, Tensor, TensorData};
use mpm_core::nn::RmsNorm;
use mpm_llm::{
    cache::{CacheShape, KvCache},
    cpm_bee::{
        Attention, AttentionBias, CpmBeeConfig, ExtEmbedding, FeedForward, PositionBias,
        PositionBuckets, Rotary, ScaledLinear,
    },
};
use mpm_test_support::{
    Case, TestBackend, Tolerance, assert_values_close, cases, load_branch, report,
};

use crate::mask;

type B = TestBackend;

/// f32: sums of up to 48 products in another order than PyTorch's.
const F32: Tolerance = Tolerance {
    absolute: 3e-6,
    relative: 3e-6,
    ..Tolerance::EXACT
};
/// f16 has 11 significant bits: two roundings, either of which may fall to the
/// other side.
const F16: Tolerance = Tolerance {
    absolute: 1e-6,
    relative: 2.0 / 1024.0,
    ..Tolerance::EXACT
};
/// Spacing of f32 around 1: sine and cosine inherit the rounding of their angle.
const F32_SPACING: f64 = 1.0 / (1 << 23) as f64;

#[test]
fn blocks() {
    let cases = cases("c_blocks_");
    for case in &cases {
        let config = config(case);
        norms(case, &config);
        linears(case);
        rotary(case);
        embedding(case, &config);
        buckets(case, &config);
        attention(case, &config);
        feed_forward(case, &config);
    }
    report(cases.len(), "c_blocks");
}

fn config(case: &Case) -> CpmBeeConfig {
    let size = |key: &str| case.size(&format!("/{key}"));
    CpmBeeConfig {
        vocab_size: size("vocab"),
        dim_model: size("dim"),
        num_heads: size("heads"),
        dim_head: size("dim_head"),
        dim_ff: size("dim_ff"),
        num_layers: 1,
        position_bias_num_buckets: size("num_buckets"),
        position_bias_num_segment_buckets: size("num_segment_buckets"),
        position_bias_max_distance: size("max_distance"),
        eps: case.json["eps"].as_f64().unwrap(),
        ..CpmBeeConfig::tiny()
    }
}

fn norms(case: &Case, config: &CpmBeeConfig) {
    let device = Default::default();
    for (name, tolerance) in [("layernorm", F32), ("layernorm_f16", F16)] {
        let norm = RmsNorm::<B>::new(config.dim_model, config.eps, &device);
        let norm = load_branch(norm, case, name);
        let output = norm.forward(case.tensor::<B, 3>(&format!("in.{name}.x")));
        case.assert_close(&format!("out.{name}"), output, tolerance);
    }
}

/// Scaling before or after the product is the same up to rounding.
fn linears(case: &Case) {
    for name in ["linear_after", "linear_before"] {
        let shape = case.shape(&format!("{name}.weight"));
        let linear = ScaledLinear::<B>::new(shape[1], shape[0], &Default::default());
        let linear = load_branch(linear, case, name);
        let output = linear.forward(case.tensor(&format!("in.{name}.x")));
        case.assert_close(&format!("out.{name}"), output, F32);
    }
}

/// The largest magnitude in a tensor.
fn largest(case: &Case, key: &str) -> f64 {
    case.data(key).iter().map(f64::abs).fold(0.0, f64::max)
}

/// For values of up to `size` that were rotated to `positions`.
fn rotated(size: f64, positions: &[i32], rotary: &Rotary) -> Tolerance {
    let farthest = positions.iter().copied().max().map_or(0.0, f64::from);
    Tolerance {
        absolute: F32.absolute + size * farthest * rotary.distance_scale * F32_SPACING,
        ..F32
    }
}

fn rotary(case: &Case) {
    let rotary = Rotary {
        base: case.json["rotary"]["base"].as_f64().unwrap(),
        distance_scale: case.json["rotary"]["distance_scale"].as_f64().unwrap(),
    };
    let x: Tensor<B, 3> = case.tensor("in.rotary.x");
    let [batch, seq, width] = x.dims();
    let frequencies: Vec<f64> = rotary
        .frequencies(width)
        .into_iter()
        .map(f64::from)
        .collect();
    let expected: Vec<f64> = case.data("out.rotary.inv_freq").iter().collect();
    assert_values_close("inv_freq", &frequencies, &expected, F32);

    let positions = case.ints("in.rotary.pos");
    let output = rotary.forward(x.reshape([batch * seq, width]), &positions);
    let tolerance = rotated(largest(case, "in.rotary.x"), &positions, &rotary);
    case.assert_close("out.rotary", output.reshape([batch, seq, width]), tolerance);
}

fn embedding(case: &Case, config: &CpmBeeConfig) {
    let embedding = ExtEmbedding::<B>::new(config, &Default::default());
    let embedding = load_branch(embedding, case, "embedding_ext");
    let shape = case.shape("out.embedding_ext");
    let sub_ids = case.ints("in.embedding_ext.ids_sub");
    let embedded = embedding
        .forward(&case.ints("in.embedding_ext.ids"), &sub_ids)
        .unwrap()
        .reshape([shape[0], shape[1], shape[2]]);
    let size = largest(case, "out.embedding_ext");
    let tolerance = rotated(size, &sub_ids, &Rotary::default());
    case.assert_close("out.embedding_ext", embedded, tolerance);

    let sub_ids = case.ints("in.projection.ext_sub");
    let table = embedding
        .forward(&case.ints("in.projection.ext_ids"), &sub_ids)
        .unwrap();
    let size = largest(case, "out.projection.ext_table");
    let tolerance = rotated(size, &sub_ids, &Rotary::default());
    case.assert_close("out.projection.ext_table", table.clone(), tolerance);
    let x: Tensor<B, 3> = case.tensor("in.projection.x");
    let plain = embedding.projection(x.clone(), None);
    case.assert_close("out.projection.no_ext", plain, F32);
    let extended = embedding.projection(x, Some(table));
    // A sum of `d_model` products of hidden states of size 1 with the table.
    let tolerance = Tolerance {
        absolute: tolerance.absolute * config.dim_model as f64,
        ..F32
    };
    case.assert_close("out.projection.with_ext", extended, tolerance);
}

fn buckets(case: &Case, config: &CpmBeeConfig) {
    let small = PositionBuckets::of(config);
    let full_size = PositionBuckets::of(&CpmBeeConfig::cpm_bee_10b());
    for (name, buckets) in [("bucket", &small), ("bucket_real", &full_size)] {
        let actual: Vec<i32> = case
            .ints(&format!("in.{name}.relative_position"))
            .into_iter()
            .map(|distance| buckets.distance_bucket(distance))
            .collect();
        assert_eq!(actual, case.ints(&format!("out.{name}")), "{name}");
    }

    let shape = case.shape("in.position_bias.rel_buckets");
    let shape = [shape[0], shape[1], shape[2]];
    let relations = case.ints("in.position_bias.rel_buckets");
    let keys = case.ints("in.position_bias.key_pos");
    let queries = case.ints("in.position_bias.query_pos");
    let [_, len_q, len_k] = shape;
    let rows = relations.iter().enumerate().map(|(index, &relation)| {
        let (batch, query, key) = (
            index / (len_q * len_k),
            index / len_k % len_q,
            index % len_k,
        );
        let distance = keys[batch * len_k + key] - queries[batch * len_q + query];
        small.row(relation, distance).unwrap()
    });
    let rows = TensorData::new(rows.collect::<Vec<i32>>(), shape);
    let rows = Tensor::from_data(rows, &Default::default());
    let bias = load_branch(
        PositionBias::<B>::new(config, &Default::default()),
        case,
        "position_bias",
    );
    let bias = bias.forward(rows);
    case.assert_close("out.position_bias", bias, F32);
}

fn attention(case: &Case, config: &CpmBeeConfig) {
    let attention = Attention::<B>::new(config, &Default::default());
    let attention = load_branch(attention, case, "attention");
    let hidden: Tensor<B, 3> = case.tensor("in.attention.hidden");
    let [batch, len, _] = hidden.dims();

    let cached = case.shape("in.attention_past.k")[2];
    for (name, past) in [("attention", 0), ("attention_past", cached)] {
        let bias = AttentionBias::new(
            case.tensor(&format!("in.{name}.position_bias")),
            Some(mask::hidden(case, &format!("in.{name}.mask"))),
        );
        let shape = CacheShape {
            layers: 1,
            batch,
            heads: config.num_heads,
            // Room to spare, which must not matter.
            capacity: past + len + 3,
            dim_head: config.dim_head,
        };
        let mut cache = KvCache::new(shape, DType::F32, &Default::default());
        let layer = cache.layer_mut(0);
        if past > 0 {
            layer
                .append(
                    case.tensor("in.attention_past.k"),
                    case.tensor("in.attention_past.v"),
                )
                .unwrap();
        }
        let output = attention
            .forward(hidden.clone(), &bias, Some(&mut *layer))
            .unwrap();
        case.assert_close(&format!("out.{name}"), output, F32);
        case.assert_close(&format!("out.{name}.k"), layer.key(), F32);
        case.assert_close(&format!("out.{name}.v"), layer.value(), F32);
    }
}

fn feed_forward(case: &Case, config: &CpmBeeConfig) {
    let layer = FeedForward::<B>::new(config, &Default::default());
    let layer = load_branch(layer, case, "feedforward");
    let x: Tensor<B, 3> = case.tensor("in.feedforward.x");
    case.assert_close("out.feedforward.gated", layer.w_in.forward(x.clone()), F32);
    case.assert_close("out.feedforward", layer.forward(x), F32);
}
