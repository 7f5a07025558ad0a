//! The encoders, connectors and what is built on them against outputs of the original Python
//! implementation (torchscale, VisCPM, `transformers` and pytorch-fid on PyTorch, f32 on the CPU).
//!
//! Cases are read from the folder `MPM_FIXTURES`, by default
//! `tests/fixtures` of the workspace.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

#[path = "parity/clip.rs"]
mod clip;
#[path = "parity/inception.rs"]
mod inception;
#[path = "parity/llava.rs"]
mod llava;
#[path = "parity/resampler.rs"]
mod resampler;
#[path = "parity/siglip.rs"]
mod siglip;

use std::collections::BTreeMap;

use burn::{
    backend::Autodiff,
    module::Module,
    tensor::{Tensor, TensorData, backend::Backend},
};
use mpm_core::weights::{KeyMap, module_keys};
use mpm_test_support::{Case, TestBackend, Tolerance, cases, gradients, load, report};
use mpm_vision::{
    Beit3, Beit3Config, Muffin, MuffinConfig, PictureEncoder, UNUSED_KEYS, VisualModule,
    VisualModuleConfig, muffin::VisualPerception, multiway::Tokens,
};

type B = TestBackend;
type Ad = Autodiff<TestBackend>;

/// Cases that run a bare encoder: `in.pixel_values` and `in.query_embed`.
const ENCODER_PREFIX: &str = "d_";
/// Cases of a whole chat model, of which the picture side is compared.
const CHAT_PREFIX: &str = "e_vlu_train_";

/// Both sides sum f32 products of some tens of terms in different order, which
/// costs a few units of 2⁻²³ ≈ 1.2e-7 per layer.
const FORWARD: Tolerance = Tolerance {
    of_largest: 2e-6,
    ..Tolerance::EXACT
};
/// The same for gradients, which pass every layer twice and sum over all tokens.
const GRADIENT: Tolerance = Tolerance {
    of_largest: 5e-6,
    ..Tolerance::EXACT
};
/// The same where all gradients are compared: those of the keys' biases are sums that cancel to
/// nothing, of terms of some hundredths.
const FULL_GRADIENT: Tolerance = Tolerance {
    absolute: 1e-8,
    ..GRADIENT
};

#[test]
fn outputs_and_gradients_equal_the_reference() {
    let encoder_cases = cases(ENCODER_PREFIX);
    for case in &encoder_cases {
        encoder_outputs(case);
        encoder_gradients(case);
    }
    let chat_cases = cases(CHAT_PREFIX);
    for case in &chat_cases {
        visual_module_outputs(case);
    }
    report(
        encoder_cases.len() + chat_cases.len(),
        "encoder and visual module",
    );
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

    for name in case.with_prefix("out.") {
        let found = outputs
            .get(name)
            .unwrap_or_else(|| panic!("{}: out.{name} is not computed here", case.name));
        case.assert_data_close(&format!("out.{name}"), found, FORWARD);
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

    let mut found: BTreeMap<String, TensorData> = gradients(&vpm, &grads)
        .into_iter()
        .map(|(name, gradient)| (format!("vpm.{name}"), gradient))
        .collect();
    let query_grad = queries.grad(&grads).unwrap().into_data();
    found.insert("query_embed".to_owned(), query_grad);
    let parameters = module_keys(&vpm);
    for name in case.with_prefix("grad.") {
        let key = format!("grad.{name}");
        let gradient = found.remove(name).unwrap_or_else(|| {
            // What the loss does not depend on has zeros in PyTorch and nothing here.
            let parameter = name
                .strip_prefix("vpm.")
                .and_then(|path| parameters.get(path));
            let shape =
                parameter.unwrap_or_else(|| panic!("{}: {name} is no parameter", case.name));
            TensorData::zeros::<f32, _>(shape.clone())
        });
        case.assert_data_close(&key, &gradient, GRADIENT);
    }
}

/// The query states and the features that the chat model's encoder hands over.
fn visual_module_outputs(case: &Case) {
    let config = MuffinConfig::new(
        encoder_config(&case.json["beit_config"]),
        case.size("/llm_config/dim_model"),
    )
    .with_num_queries(case.size("/query_num"));
    let muffin: Muffin<B> = config.init(&Default::default()).unwrap();
    let branches = ["vpm", "query", "mapping"];
    let muffin = load_visual(muffin, case, &branches, KeyMap::new());

    let pixel_values: Tensor<B, 4> = case.tensor("in.pixel_values");
    let states = muffin.query_states(pixel_values.clone()).unwrap();
    let features = muffin.forward(pixel_values.clone()).unwrap();
    case.assert_close("out.vpm", states, FORWARD);
    case.assert_close("out.vision_hidden_states", features, FORWARD);

    // The same by the configuration of any visual module.
    let config = VisualModuleConfig::from(config);
    let module: VisualModule<B> = config.init(&Default::default()).unwrap();
    let module = load_visual(module, case, &branches, KeyMap::new());
    let features = module.encode(pixel_values).unwrap();
    case.assert_close("out.vision_hidden_states", features, FORWARD);
}

/// Loads weights of which the documented ones, and no other, are not used.
fn load_visual<Back: Backend, M: Module<Back>>(
    module: M,
    case: &Case,
    branches: &[&str],
    keys: KeyMap,
) -> M {
    for key in UNUSED_KEYS {
        assert!(case.has(key), "{} lacks {key}", case.name);
    }
    let keys = UNUSED_KEYS.iter().fold(keys, |keys, key| keys.unused(key));
    load(module, case, branches, keys)
}

fn load_encoder<Back: Backend>(case: &Case) -> Beit3<Back> {
    let config = encoder_config(&case.json["config"]);
    let beit3 = config.init(&Default::default()).unwrap();
    let keys = KeyMap::new().rename("vpm.beit3", "");
    load_visual(beit3, case, &["vpm"], keys)
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
