//! Runs that train adapters of low rank.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "not every test uses every helper")]

mod common;

use std::{fs, path::Path};

use burn::{
    backend::Flex,
    module::Module,
    store::ModuleSnapshot,
    tensor::{DType, Tolerance},
};
use common::{STEPS, Workplace, fails, shipped, succeeds};
use mpm_core::{
    lora,
    weights::{LoadOptions, Precision, WeightFile},
};
use mpm_llm::{any::AnyLlm, cpm_bee::TransformerBlock};
use serde_json::{Value, json};
use viscpm_chat::ChatModel;
use viscpm_paint::Source;

/// f16 has 11 bits, and the merged weights, which are below 8 here, are rounded to it.
const ROUNDED_TO_F16: f32 = 8.0 / 2048.0;

fn first_layer(model: &ChatModel<Flex>) -> TransformerBlock<Flex> {
    let AnyLlm::CpmBee(llm) = &model.model.llm else {
        panic!("the model is CPM-Bee");
    };
    llm.encoder.layers[0].clone()
}

fn chat_recipe(workplace: &Workplace) -> Value {
    let mut recipe = workplace.recipe();
    recipe["lora"] = json!({
        "rank": 4,
        "alpha": 8.0,
        "targets": ["llm.**.project_q", "llm.**.project_v", "visual.mapping"],
    });
    recipe["trainable"] = json!(["**.lora"]);
    recipe["schedule"] = json!({"peak": 1e-2});
    recipe["precision"] = json!("f16");
    recipe
}

fn full_precision() -> LoadOptions {
    LoadOptions {
        precision: Precision::Cast(DType::F32),
        ..LoadOptions::default()
    }
}

/// Compares all parameters of two models.
fn assert_same<M: Module<Flex>>(one: &M, other: &M) {
    let collect = |model: &M| model.collect(None, None, true);
    for (one, other) in collect(one).iter().zip(collect(other)) {
        assert_eq!(one.full_path(), other.full_path());
        let (one, other) = (one.to_data().unwrap(), other.to_data().unwrap());
        one.assert_approx_eq::<f32>(&other, Tolerance::absolute(ROUNDED_TO_F16));
    }
}

fn names(file: &Path) -> Vec<String> {
    let file = WeightFile::open(file).unwrap();
    file.tensors().keys().cloned().collect()
}

#[test]
fn adapters_train_beside_frozen_half_precision_weights() {
    let workplace = Workplace::new();
    let text = succeeds(workplace.run(&chat_recipe(&workplace), &["--run", "run"]));
    assert!(text.contains("model"), "{text}");
    let table = fs::read_to_string(workplace.path("run/parameters.txt")).unwrap();
    let trains = table.lines().filter(|line| line.starts_with("trains"));
    assert!(trains.clone().count() > 4, "{table}");
    assert!(
        trains.clone().all(|line| line.contains(".lora.")),
        "{table}"
    );

    let checkpoint = format!("run/checkpoints/step-{STEPS:08}/model.safetensors");
    let stored = names(&workplace.path(&checkpoint));
    assert!(
        stored.iter().all(|name| name.contains(".lora.")),
        "{stored:?}"
    );

    let device = Default::default();
    let open = |folder: &Path| ChatModel::<Flex>::open(folder, &device, &full_precision()).unwrap();
    let start = open(&shipped("viscpm-chat-emoji"));
    let before = first_layer(&start);
    let adapted = start.with_adapter(workplace.path("run/adapter")).unwrap();
    assert_same(&adapted.model, &open(&workplace.path("run/model")).model);
    let query = |layer: TransformerBlock<Flex>| {
        layer
            .self_att
            .unwrap()
            .self_attention
            .project_q
            .weight
            .float()
            .unwrap()
            .val()
    };
    let change = query(before) - query(first_layer(&adapted));
    let change = change.abs().max().into_scalar();
    assert!(change > 10.0 * ROUNDED_TO_F16, "{change}");
}

#[test]
fn an_interrupted_run_of_adapters_ends_like_the_uninterrupted_one() {
    let workplace = Workplace::new();
    let recipe = chat_recipe(&workplace);
    succeeds(workplace.run(&recipe, &["--run", "run"]));
    let whole = workplace.last_weights("run");
    let newest = format!("run/checkpoints/step-{STEPS:08}");
    fs::remove_dir_all(workplace.path(&newest)).unwrap();
    succeeds(workplace.run(&recipe, &["--run", "run", "--resume"]));
    assert!(workplace.last_weights("run") == whole);
}

/// The layers whose weights a module calls a linear layer's.
fn linear_layers<M: Module<Flex>>(model: &M) -> Vec<String> {
    let parameters = model.collect(None, None, true).into_iter();
    let weights = parameters.filter(|parameter| {
        let containers = parameter.container_stack.as_ref().unwrap();
        // Of a layer, the weight, and its form.
        let layer = containers.iter().rev().nth(1);
        let is_linear = layer.is_some_and(|layer| layer.ends_with("Linear"));
        is_linear && parameter.full_path().ends_with(".weight")
    });
    let mut layers: Vec<_> = weights
        .map(|weight| weight.full_path().trim_end_matches(".weight").to_owned())
        .collect();
    layers.sort();
    layers
}

#[test]
fn every_linear_layer_can_have_an_adapter() {
    let device = Default::default();
    let chat = ChatModel::<Flex>::open(shipped("viscpm-chat-emoji"), &device, &full_precision());
    let chat = chat.unwrap().model;
    let paint = Source::folder(&shipped("viscpm-paint-emoji")).unwrap();
    let paint = paint.painter::<Flex>(&device, &full_precision()).unwrap();
    let mut paths = [
        lora::linear_paths(&chat),
        lora::linear_paths(&paint.diffusion),
    ];
    paths.iter_mut().for_each(|paths| paths.sort());
    assert_eq!(
        paths,
        [linear_layers(&chat), linear_layers(&paint.diffusion)]
    );
    assert!(paths.iter().all(|paths| paths.len() > 20), "{paths:?}");
}

#[test]
fn a_painter_learns_by_adapters() {
    let workplace = Workplace::new();
    let mut recipe = workplace.paint_recipe();
    recipe["lora"] = json!({"rank": 2, "alpha": 2.0, "targets": ["trans_block", "unet.**.attn2"]});
    recipe["trainable"] = json!(["**.lora"]);
    recipe["schedule"] = json!({"peak": 1e-2});
    succeeds(workplace.run(&recipe, &["--run", "run"]));

    let device = Default::default();
    let mut source = Source::folder(&shipped("viscpm-paint-emoji")).unwrap();
    source.adapter = Some(workplace.path("run/adapter"));
    source.check::<Flex>(&device).unwrap();
    let adapted = source.painter::<Flex>(&device, &full_precision()).unwrap();
    let trained = Source::folder(&workplace.path("run/model")).unwrap();
    let trained = trained.painter::<Flex>(&device, &full_precision()).unwrap();
    assert_same(&adapted.diffusion, &trained.diffusion);

    // The adapters of another model.
    let mut other = chat_recipe(&workplace);
    other["steps"] = json!(1);
    succeeds(workplace.run(&other, &["--run", "chat"]));
    source.adapter = Some(workplace.path("chat/adapter"));
    let error = source.check::<Flex>(&device).unwrap_err().to_string();
    assert!(error.contains("another model"), "{error}");
}

#[test]
fn adapters_that_are_half_of_the_result_are_in_the_model_only() {
    let workplace = Workplace::new();
    let mut recipe = chat_recipe(&workplace);
    recipe["steps"] = json!(1);
    recipe["trainable"] = json!(["**.lora", "visual.query"]);
    let output = workplace.run(&recipe, &["--run", "run"]);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    succeeds(output);
    assert!(text.contains("there will be no adapter/"), "{text}");
    assert!(workplace.path("run/model/config.json").is_file());
    assert!(!workplace.path("run/adapter").exists());
}

#[test]
fn unsound_adapters_are_refused_before_the_work_starts() {
    let workplace = Workplace::new();
    let mut frozen = chat_recipe(&workplace);
    frozen["trainable"] = json!(["visual.query"]);
    let text = fails(workplace.run(&frozen, &["--run", "run"]));
    assert!(text.contains("none of them trains"), "{text}");
    assert!(!workplace.path("run/metrics.jsonl").exists());
    for (field, value, expected) in [
        (
            "targets",
            json!(["llm.**.project_x"]),
            "matches no linear layer",
        ),
        ("targets", json!([]), "lora.targets"),
        ("alpha", json!(0.0), "lora.alpha"),
        ("rank", json!(0), "nonzero"),
        ("ranks", json!(4), "`rank`?"),
    ] {
        let mut recipe = chat_recipe(&workplace);
        recipe["lora"][field] = value;
        let text = fails(workplace.run(&recipe, &["--run", "run"]));
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(!workplace.path("run/metrics.jsonl").exists(), "{expected}");
    }
}
