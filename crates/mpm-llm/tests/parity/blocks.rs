//! `c_blocks_*`: norm, linear, embedding, position bias, attention, feed-forward.

use burn::{
    backend::Flex,
    tensor::{DType, Tensor},
};
use mpm_llm::{
    cache::{CacheShape, KvCache},
    cpm_bee::{
        Attention, AttentionBias, CpmBeeConfig, ExtEmbedding, FeedForward, PositionBias,
        PositionBuckets, RmsNorm, Rotary, ScaledLinear,
    },
};
use serde_json::Value;

use crate::{
    common,
    tensors::{TensorFile, Tolerance, check_values},
};

type B = Flex;

/// f32: sums of up to 48 products in another order than PyTorch's.
const F32: Tolerance = Tolerance {
    absolute: 3e-6,
    relative: 3e-6,
};
/// f16 has 11 significant bits: two roundings, either of which may fall to the
/// other side.
const F16: Tolerance = Tolerance {
    absolute: 1e-6,
    relative: 2.0 / 1024.0,
};
/// Spacing of f32 around 1: sine and cosine inherit the rounding of their angle.
const F32_SPACING: f64 = 1.0 / (1 << 23) as f64;

#[test]
fn blocks() {
    let names = common::cases("c_blocks_");
    for name in &names {
        let (json, file) = (common::json(name), TensorFile::open(name));
        let config = config(&json);
        norms(&file, &config);
        linears(&file);
        rotary(&file, &json);
        embedding(&file, &config);
        buckets(&file, &config);
        attention(&file, &config);
        feed_forward(&file, &config);
    }
    println!("parity: {} cases (c_blocks)", names.len());
}

fn config(json: &Value) -> CpmBeeConfig {
    let size = |key: &str| json[key].as_u64().unwrap() as usize;
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
        eps: json["eps"].as_f64().unwrap(),
        ..CpmBeeConfig::tiny()
    }
}

fn norms(file: &TensorFile, config: &CpmBeeConfig) {
    let device = Default::default();
    for (name, tolerance) in [("layernorm", F32), ("layernorm_f16", F16)] {
        let norm = RmsNorm::<B>::new(config.dim_model, config.eps, &device);
        let norm = file.load(norm, &format!("{name}."));
        let output = norm.forward(file.float(&format!("in.{name}.x")));
        file.check(&format!("out.{name}"), output, tolerance);
    }
}

/// Scaling before or after the product is the same up to rounding.
fn linears(file: &TensorFile) {
    for name in ["linear_after", "linear_before"] {
        let shape = file.shape(&format!("{name}.weight"));
        let linear = ScaledLinear::<B>::new(shape[1], shape[0], &Default::default());
        let linear = file.load(linear, &format!("{name}."));
        let output = linear.forward(file.float(&format!("in.{name}.x")));
        file.check(&format!("out.{name}"), output, F32);
    }
}

/// For values of up to `size` that were rotated to `positions`.
fn rotated(size: f64, positions: &[i32], rotary: &Rotary) -> Tolerance {
    let farthest = positions.iter().copied().max().map_or(0.0, f64::from);
    Tolerance {
        absolute: F32.absolute + size * farthest * rotary.distance_scale * F32_SPACING,
        ..F32
    }
}

fn rotary(file: &TensorFile, json: &Value) {
    let rotary = Rotary {
        base: json["rotary"]["base"].as_f64().unwrap(),
        distance_scale: json["rotary"]["distance_scale"].as_f64().unwrap(),
    };
    let x: Tensor<B, 3> = file.float("in.rotary.x");
    let [batch, seq, width] = x.dims();
    let frequencies: Vec<f64> = rotary
        .frequencies(width)
        .into_iter()
        .map(f64::from)
        .collect();
    let expected: Vec<f64> = file.data("out.rotary.inv_freq").iter().collect();
    check_values("inv_freq", &frequencies, &expected, F32);

    let positions = file.ints("in.rotary.pos");
    let output = rotary.forward(x.reshape([batch * seq, width]), &positions);
    let tolerance = rotated(file.largest("in.rotary.x"), &positions, &rotary);
    file.check("out.rotary", output.reshape([batch, seq, width]), tolerance);
}

fn embedding(file: &TensorFile, config: &CpmBeeConfig) {
    let embedding = ExtEmbedding::<B>::new(config, &Default::default());
    let embedding = file.load(embedding, "embedding_ext.");
    let shape = file.shape("out.embedding_ext");
    let sub_ids = file.ints("in.embedding_ext.ids_sub");
    let embedded = embedding
        .forward(&file.ints("in.embedding_ext.ids"), &sub_ids)
        .unwrap()
        .reshape([shape[0], shape[1], shape[2]]);
    let size = file.largest("out.embedding_ext");
    let tolerance = rotated(size, &sub_ids, &Rotary::default());
    file.check("out.embedding_ext", embedded, tolerance);

    let sub_ids = file.ints("in.projection.ext_sub");
    let table = embedding
        .forward(&file.ints("in.projection.ext_ids"), &sub_ids)
        .unwrap();
    let size = file.largest("out.projection.ext_table");
    let tolerance = rotated(size, &sub_ids, &Rotary::default());
    file.check("out.projection.ext_table", table.clone(), tolerance);
    let x: Tensor<B, 3> = file.float("in.projection.x");
    let plain = embedding.projection(x.clone(), None);
    file.check("out.projection.no_ext", plain, F32);
    let extended = embedding.projection(x, Some(table));
    // A sum of `d_model` products of hidden states of size 1 with the table.
    let tolerance = Tolerance {
        absolute: tolerance.absolute * config.dim_model as f64,
        ..F32
    };
    file.check("out.projection.with_ext", extended, tolerance);
}

fn buckets(file: &TensorFile, config: &CpmBeeConfig) {
    let small = PositionBuckets::of(config);
    let full_size = PositionBuckets::of(&CpmBeeConfig::cpm_bee_10b());
    for (name, buckets) in [("bucket", &small), ("bucket_real", &full_size)] {
        let actual: Vec<i32> = file
            .ints(&format!("in.{name}.relative_position"))
            .into_iter()
            .map(|distance| buckets.distance_bucket(distance))
            .collect();
        assert_eq!(actual, file.ints(&format!("out.{name}")), "{name}");
    }

    let shape = file.shape("in.position_bias.rel_buckets");
    let shape = [shape[0], shape[1], shape[2]];
    let relations = file.ints("in.position_bias.rel_buckets");
    let keys = file.ints("in.position_bias.key_pos");
    let queries = file.ints("in.position_bias.query_pos");
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
    let bias = file.load(
        PositionBias::<B>::new(config, &Default::default()),
        "position_bias.",
    );
    let bias = bias.forward(rows.collect(), shape);
    file.check("out.position_bias", bias, F32);
}

fn attention(file: &TensorFile, config: &CpmBeeConfig) {
    let attention = Attention::<B>::new(config, &Default::default());
    let attention = file.load(attention, "attention.");
    let hidden: Tensor<B, 3> = file.float("in.attention.hidden");
    let [batch, len, _] = hidden.dims();

    let cached = file.shape("in.attention_past.k")[2];
    for (case, past) in [("attention", 0), ("attention_past", cached)] {
        let bias = AttentionBias {
            bias: file.float(&format!("in.{case}.position_bias")),
            hidden: file.hidden(&format!("in.{case}.mask")),
        };
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
                    file.float("in.attention_past.k"),
                    file.float("in.attention_past.v"),
                )
                .unwrap();
        }
        let output = attention
            .forward(hidden.clone(), &bias, Some(&mut *layer))
            .unwrap();
        file.check(&format!("out.{case}"), output, F32);
        file.check(&format!("out.{case}.k"), layer.key(), F32);
        file.check(&format!("out.{case}.v"), layer.value(), F32);
    }
}

fn feed_forward(file: &TensorFile, config: &CpmBeeConfig) {
    let layer = FeedForward::<B>::new(config, &Default::default());
    let layer = file.load(layer, "feedforward.");
    let x: Tensor<B, 3> = file.float("in.feedforward.x");
    file.check("out.feedforward.gated", layer.w_in.forward(x.clone()), F32);
    file.check("out.feedforward", layer.forward(x), F32);
}
