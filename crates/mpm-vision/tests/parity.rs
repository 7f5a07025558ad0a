//! The encoder and the visual module against outputs of the original Python
//! implementation (torchscale and VisCPM on PyTorch, f32 on the CPU).
//!
//! Cases are read from the folder `MPM_FIXTURES`, by default
//! `tests/fixtures` of the workspace.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "tests fail by panicking and report how many cases ran"
)]

#[path = "parity/case.rs"]
mod case;
#[path = "parity/gradients.rs"]
mod gradients;
mod support;

use std::collections::BTreeMap;

use burn::{
    backend::{Autodiff, Flex},
    tensor::{Tensor, TensorData, backend::Backend},
};
use case::{Case, assert_close};
use gradients::gradients;
use mpm_vision::{
    Beit3, Beit3Config, Muffin, MuffinConfig, muffin::VisualPerception, multiway::Tokens,
};

type B = Flex;
type Ad = Autodiff<Flex>;

/// Cases that run a bare encoder: `in.pixel_values` and `in.query_embed`.
const ENCODER_PREFIX: &str = "d_";
/// Cases of a whole chat model, of which the picture side is compared.
const CHAT_PREFIX: &str = "e_vlu_train_";

/// Largest error of a forward value, as a share of the tensor's largest value.
/// Both sides sum f32 products of some tens of terms in different order, which
/// costs a few units of 2⁻²³ ≈ 1.2e-7 per layer.
const FORWARD_TOLERANCE: f64 = 2e-6;
/// The same for gradients, which pass every layer twice and sum over all tokens.
const GRADIENT_TOLERANCE: f64 = 5e-6;

#[test]
fn outputs_and_gradients_equal_the_reference() {
    let encoder_cases = Case::all(ENCODER_PREFIX);
    assert!(!encoder_cases.is_empty(), "no case {ENCODER_PREFIX}* found");
    for case in &encoder_cases {
        encoder_outputs(case);
        encoder_gradients(case);
    }
    let chat_cases = Case::all(CHAT_PREFIX);
    for case in &chat_cases {
        visual_module_outputs(case);
    }
    println!("parity: {} cases", encoder_cases.len() + chat_cases.len());
}

/// Every `out.*` of an encoder case, with and without queries.
fn encoder_outputs(case: &Case) {
    let beit3 = load_encoder::<B>(case);
    let pixel_values: Tensor<B, 4> = case.tensor("in.pixel_values");
    let queries: Tensor<B, 2> = case.tensor("in.query_embed");

    let mut outputs = BTreeMap::new();
    record_states(&beit3, &pixel_values, None, "noq", &mut outputs);
    record_states(&beit3, &pixel_values, Some(&queries), "query", &mut outputs);
    let no_query = beit3.forward(pixel_values.clone(), None).unwrap();
    let with_query = beit3.forward(pixel_values, Some(queries)).unwrap();
    let loss = (with_query.clone() * case.tensor("in.loss_weight")).mean();
    outputs.insert("no_query".to_owned(), no_query.into_data());
    outputs.insert("with_query".to_owned(), with_query.into_data());
    outputs.insert("loss".to_owned(), loss.into_data());

    for (name, expected) in case.with_prefix("out.") {
        let found = outputs
            .get(name)
            .unwrap_or_else(|| panic!("{}: out.{name} is not computed here", case.name));
        assert_close(found, expected, FORWARD_TOLERANCE, case, name);
    }
}

/// Runs layer by layer and keeps the states after each, both parts joined.
fn record_states(
    beit3: &Beit3<B>,
    pixel_values: &Tensor<B, 4>,
    queries: Option<&Tensor<B, 2>>,
    prefix: &str,
    outputs: &mut BTreeMap<String, TensorData>,
) {
    let embedded = beit3.vision_embed.forward(pixel_values.clone()).unwrap();
    outputs.insert(format!("{prefix}.vision_embed"), embedded.to_data());
    let mut tokens: Tokens<B> = beit3.encoder.embed(embedded, queries.cloned());
    for (i, layer) in beit3.encoder.layers.iter().enumerate() {
        let normed = layer.attention_input(tokens.clone());
        let attended = layer.self_attn.forward(normed.clone(), normed);
        tokens = layer.forward(tokens);
        let name = format!("{prefix}.layer{i}");
        outputs.insert(format!("{name}.attn"), attended.concat().into_data());
        outputs.insert(name, tokens.clone().concat().into_data());
    }
}

/// Every `grad.*` of an encoder case, of the mean of output · weight.
fn encoder_gradients(case: &Case) {
    let vpm = VisualPerception {
        beit3: load_encoder::<Ad>(case),
    };
    let queries = case.tensor::<Ad, 2>("in.query_embed").require_grad();
    let output = vpm
        .beit3
        .forward(case.tensor("in.pixel_values"), Some(queries.clone()))
        .unwrap();
    let grads = (output * case.tensor("in.loss_weight")).mean().backward();

    let mut found = gradients(&vpm, &grads, "vpm");
    let query_grad = queries.grad(&grads).unwrap().into_data();
    found.insert("query_embed".to_owned(), query_grad);
    for (name, expected) in case.with_prefix("grad.") {
        let found = found
            .get(name)
            .unwrap_or_else(|| panic!("{}: {name} is no parameter", case.name));
        assert_close(found, expected, GRADIENT_TOLERANCE, case, name);
    }
}

/// The query states and the features that the chat model's encoder hands over.
fn visual_module_outputs(case: &Case) {
    let config = MuffinConfig::new(
        encoder_config(&case.config["beit_config"]),
        case.size("/llm_config/dim_model"),
    )
    .with_num_queries(case.size("/query_num"));
    let mut muffin: Muffin<B> = config.init(&Default::default()).unwrap();
    case.load(&mut muffin, "", &["vpm.", "query", "mapping."]);

    let pixel_values: Tensor<B, 4> = case.tensor("in.pixel_values");
    let states = muffin.query_states(pixel_values.clone()).unwrap();
    let features = muffin.forward(pixel_values).unwrap();
    for (name, found) in [("vpm", states), ("vision_hidden_states", features)] {
        let expected = case.data(&format!("out.{name}"));
        assert_close(&found.into_data(), expected, FORWARD_TOLERANCE, case, name);
    }
}

fn load_encoder<Back: Backend>(case: &Case) -> Beit3<Back> {
    let config = encoder_config(&case.config["config"]);
    let mut beit3 = config.init(&Default::default()).unwrap();
    case.load(&mut beit3, "vpm.beit3.", &["vpm."]);
    beit3
}

/// Reads the reference's `EncoderConfig`.
fn encoder_config(config: &serde_json::Value) -> Beit3Config {
    let size = |key: &str| config.get(key).and_then(|v| v.as_u64()).map(|v| v as usize);
    let required = |key| size(key).unwrap_or_else(|| panic!("configuration lacks {key}"));
    let mut beit3 = Beit3Config::new(
        required("encoder_embed_dim"),
        required("encoder_ffn_embed_dim"),
        required("encoder_attention_heads"),
        required("encoder_layers"),
    )
    .with_image_size(required("img_size"))
    .with_patch_size(required("patch_size"));
    if let Some(max_positions) = size("max_source_positions") {
        beit3.max_positions = max_positions;
    }
    if let Some(in_channels) = size("in_chans") {
        beit3.in_channels = in_channels;
    }
    if let Some(epsilon) = config.get("layernorm_eps").and_then(|v| v.as_f64()) {
        beit3.layer_norm_eps = epsilon;
    }
    beit3
}
