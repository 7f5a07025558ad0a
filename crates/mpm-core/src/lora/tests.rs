#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::{fs, num::NonZeroUsize, path::Path};

use burn::{
    backend::{Autodiff, Flex},
    module::{Module, Param},
    tensor::{DType, Distribution, Tensor, Tolerance, backend::Backend},
};
use serde_json::{Value, json};

use super::*;
use crate::{
    MpmBackend, linear_layers,
    nn::{LinearLayer, LinearLayers, LinearRole, LinearWeight, TorchLinear},
    weights::KeyMap,
};

const CONFIG: LoraConfig = LoraConfig {
    rank: NonZeroUsize::new(2).unwrap(),
    alpha: 6.0,
};

/// Products of small matrices in f32, in another order.
const REORDERED: f32 = 1e-5;

#[derive(Module, Debug)]
struct Pair<B: Backend> {
    first: TorchLinear<B>,
    second: Option<TorchLinear<B>>,
}

linear_layers!(Pair { first, second });

fn pair<B: MpmBackend>() -> Pair<B> {
    let device = Default::default();
    let pair = Pair {
        first: TorchLinear::new(5, 4, &device),
        second: Some(TorchLinear::new(4, 3, &device).without_bias()),
    };
    // Copies of parameters that nobody has read would draw other values.
    let _read = forward(&pair, input());
    pair
}

/// With a `B` that is not zero any more, as after training.
fn trained<B: MpmBackend>(targets: &str) -> Pair<B> {
    let mut pair = attach(pair(), CONFIG, |path| targets.contains(path)).unwrap();
    pair.visit_linear(&mut |layer| {
        if let Some(lora) = adapter(layer) {
            let b = lora.b.clone();
            lora.b = b.map(|b| b.random_like(Distribution::Uniform(-1.0, 1.0)));
        }
    });
    pair
}

fn adapter<'a, B: Backend>(layer: LinearLayer<'a, B>) -> &'a mut Option<Lora<B>> {
    match layer.role {
        LinearRole::Layer { lora, .. } => lora,
        LinearRole::Table => panic!("no layer of these models is a table"),
    }
}

fn float<B: Backend>(layer: &TorchLinear<B>) -> Tensor<B, 2> {
    layer.weight.float().unwrap().val()
}

fn in_f16<B: Backend>(layer: &TorchLinear<B>) -> LinearWeight<B> {
    LinearWeight::Float(Param::from_tensor(float(layer).cast(DType::F16)))
}

fn forward<B: MpmBackend>(pair: &Pair<B>, x: Tensor<B, 2>) -> Tensor<B, 2> {
    let x = pair.first.forward(x);
    pair.second.as_ref().unwrap().forward(x)
}

fn input<B: Backend>() -> Tensor<B, 2> {
    Tensor::random(
        [7, 5],
        Distribution::Uniform(-1.0, 1.0),
        &Default::default(),
    )
}

fn same(one: Tensor<Flex, 2>, other: Tensor<Flex, 2>) {
    let tolerance = Tolerance::absolute(REORDERED);
    one.into_data()
        .assert_approx_eq::<f32>(&other.into_data(), tolerance);
}

#[test]
fn an_adapter_changes_nothing_before_it_is_trained() {
    let (model, x) = (pair::<Flex>(), input());
    let before = forward(&model, x.clone());
    let adapted = attach(model, CONFIG, |_| true).unwrap();
    same(forward(&adapted, x), before);
}

#[test]
fn merged_layers_compute_what_adapted_ones_do() {
    let (model, x) = (trained::<Flex>("first second"), input());
    let adapted = forward(&model, x.clone());
    let rows = model.first.forward_rows(x.clone(), 1, 2);
    same(rows.clone(), model.first.forward(x.clone()).narrow(1, 1, 2));
    let merged = merge(model.clone());
    assert!(merged.first.lora.is_none());
    same(forward(&merged, x.clone()), adapted.clone());
    same(merged.first.forward_rows(x.clone(), 1, 2), rows);

    let mut plain = model;
    plain.visit_linear(&mut |layer| *adapter(layer) = None);
    let change = (forward(&plain, x) - adapted).abs().max().into_scalar();
    assert!(
        change > 0.1,
        "the adapters should have had an effect: {change}"
    );
}

#[test]
fn half_precision_weights_stay_so() {
    let mut model = trained::<Flex>("first");
    model.first.weight = in_f16(&model.first);
    let delta = model.first.lora.as_ref().unwrap().delta();
    assert_eq!(delta.dtype(), DType::F32);
    let before = float(&model.first).cast(DType::F32);
    let merged = float(&merge(model).first);
    assert_eq!(merged.dtype(), DType::F16);
    let error = (merged.cast(DType::F32) - before - delta).abs().max();
    // f16 has 11 bits, and the weights are below 8.
    assert!(error.into_scalar() < 8.0 / 2048.0);
}

#[test]
fn adapters_run_beside_half_precision_weights() {
    // f16 has 11 bits, and the outputs are below 16; the input and the weights are rounded, too.
    const ROUNDED: f32 = 4.0 * 16.0 / 2048.0;
    let wide = trained::<Flex>("first").first;
    let mut half = wide.clone();
    half.weight = in_f16(&half);
    half.bias = half.bias.map(|bias| bias.map(|bias| bias.cast(DType::F16)));
    let x = input::<Flex>();
    let output = half.forward(x.clone().cast(DType::F16));
    assert_eq!(output.dtype(), DType::F16);
    let expected = wide.forward(x.clone());
    let error = (output.cast(DType::F32) - expected.clone()).abs().max();
    assert!(error.into_scalar() < ROUNDED);
    let rows = half.forward_rows(x.cast(DType::F16), 1, 2);
    assert_eq!(rows.dtype(), DType::F16);
    let error = (rows.cast(DType::F32) - expected.narrow(1, 1, 2))
        .abs()
        .max();
    assert!(error.into_scalar() < ROUNDED);
}

#[test]
fn gradients_reach_the_adapters_of_frozen_layers() {
    type B = Autodiff<Flex>;
    let model = trained::<B>("first second");
    let mut model = model.no_grad();
    model.visit_linear(&mut |layer| {
        let lora = adapter(layer).as_mut().unwrap();
        for matrix in [&mut lora.a, &mut lora.b] {
            *matrix = matrix.clone().set_require_grad(true);
        }
    });
    let gradients = forward(&model, input()).powi_scalar(2).sum().backward();
    assert!(float(&model.first).grad(&gradients).is_none());
    model.visit_linear(&mut |layer| {
        let lora = adapter(layer).as_ref().unwrap();
        for matrix in [&lora.a, &lora.b] {
            let gradient = matrix.val().grad(&gradients).unwrap();
            assert!(gradient.abs().max().into_scalar() > 1e-3);
        }
    });
}

#[test]
fn targets_are_chosen_by_path() {
    let model = pair::<Flex>();
    assert_eq!(linear_paths(&model), ["first", "second"]);
    let adapted = attach(model.clone(), CONFIG, |path| path == "second").unwrap();
    assert!(adapted.first.lora.is_none());
    let lora = adapted.second.unwrap().lora.unwrap();
    assert_eq!(lora.a.dims(), [2, 4]);
    assert_eq!(lora.b.dims(), [3, 2]);
    assert_eq!(lora.scale(), 3.0);
    assert!(matches!(
        attach(model, CONFIG, |_| false),
        Err(LoraError::NoTarget)
    ));
}

fn keys() -> KeyMap {
    KeyMap::new().rename("llm.one", "first")
}

fn saved(folder: &Path) -> Pair<Flex> {
    let model = trained("first second");
    save(&model, CONFIG, folder, &keys()).unwrap();
    model
}

#[test]
fn what_is_saved_is_loaded_again() {
    let folder = tempfile::tempdir().unwrap();
    let (model, x) = (saved(folder.path()), input());
    let mut plain = model.clone();
    plain.visit_linear(&mut |layer| *adapter(layer) = None);
    let loaded = load(plain, folder.path(), &keys()).unwrap();
    let difference = forward(&loaded, x.clone()) - forward(&model, x);
    assert_eq!(difference.abs().max().into_scalar(), 0.0);
    let file = crate::weights::WeightFile::open(folder.path().join(WEIGHTS_FILE)).unwrap();
    let names: Vec<_> = file.tensors().keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "base_model.model.llm.one.lora_A.weight",
            "base_model.model.llm.one.lora_B.weight",
            "base_model.model.second.lora_A.weight",
            "base_model.model.second.lora_B.weight",
        ]
    );
}

fn config_of(folder: &Path) -> Value {
    serde_json::from_slice(&fs::read(folder.join(CONFIG_FILE)).unwrap()).unwrap()
}

fn refused(folder: &Path, model: Pair<Flex>) -> String {
    load(model, folder, &keys()).unwrap_err().to_string()
}

#[test]
fn adapters_of_another_kind_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    saved(folder);
    let plain = config_of(folder);
    for (field, value) in [
        ("use_dora", json!(true)),
        ("bias", json!("all")),
        ("rank_pattern", json!({"x": 4})),
        ("peft_type", json!("IA3")),
    ] {
        let mut other = plain.clone();
        other[field] = value;
        fs::write(folder.join(CONFIG_FILE), other.to_string()).unwrap();
        let text = refused(folder, pair());
        assert!(text.contains(field), "{text}");
    }
    let mut harmless = plain;
    harmless["use_dora"] = json!(false);
    harmless["lora_dropout"] = json!(0.1);
    harmless["rank_pattern"] = json!({});
    fs::write(folder.join(CONFIG_FILE), harmless.to_string()).unwrap();
    load(pair::<Flex>(), folder, &keys()).unwrap();
}

#[test]
fn adapters_of_another_model_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    saved(folder);
    let without_second = Pair {
        second: None,
        ..pair()
    };
    let text = refused(folder, without_second);
    assert!(text.contains("second.lora_A"), "{text}");
    let wider = Pair {
        first: TorchLinear::new(6, 4, &Default::default()),
        ..pair()
    };
    let text = refused(folder, wider);
    assert!(text.contains("[2, 5] and not [2, 6]"), "{text}");

    let mut other = config_of(folder);
    other["r"] = json!(3);
    fs::write(folder.join(CONFIG_FILE), other.to_string()).unwrap();
    assert!(refused(folder, pair()).contains("[2, 5] and not [3, 5]"));
    other["r"] = json!(0);
    fs::write(folder.join(CONFIG_FILE), other.to_string()).unwrap();
    assert!(refused(folder, pair()).contains(CONFIG_FILE));
    fs::remove_file(folder.join(CONFIG_FILE)).unwrap();
    assert!(refused(folder, pair()).contains(CONFIG_FILE));
}

/// Writes the matrices of a saved adapter again, under the names that `rename` gives them.
fn rename_matrices(folder: &Path, rename: impl Fn(&str) -> Vec<String>) {
    let path = folder.join(WEIGHTS_FILE);
    let bytes = fs::read(&path).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let renamed = tensors.iter().flat_map(|(name, view)| {
        let names = rename(name).into_iter();
        names.map(move |name| (name, view.clone()))
    });
    fs::write(&path, safetensors::serialize(renamed, None).unwrap()).unwrap();
}

#[test]
fn layers_may_have_the_names_of_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let (model, x) = (saved(folder.path()), input());
    rename_matrices(folder.path(), |name| vec![name.replace("llm.one", "first")]);
    let mut plain = model.clone();
    plain.visit_linear(&mut |layer| *adapter(layer) = None);
    let loaded = load(plain, folder.path(), &keys()).unwrap();
    let difference = forward(&loaded, x.clone()) - forward(&model, x);
    assert_eq!(difference.abs().max().into_scalar(), 0.0);
}

#[test]
fn two_names_of_one_layer_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    saved(folder.path());
    rename_matrices(folder.path(), |name| {
        let mut names = vec![name.to_owned(), name.replace("llm.one", "first")];
        names.dedup();
        names
    });
    let text = refused(folder.path(), pair());
    assert!(
        text.contains("`base_model.model.llm.one.lora_A.weight`") && text.contains("`first`"),
        "{text}"
    );
}

#[test]
fn an_adapter_that_has_a_configuration_is_complete() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = saved(folder);
    // A folder in the place of the weights ends the saving half way, as a kill would.
    fs::remove_file(folder.join(WEIGHTS_FILE)).unwrap();
    fs::create_dir(folder.join(WEIGHTS_FILE)).unwrap();
    let error = save(&model, CONFIG, folder, &keys()).unwrap_err();
    assert!(error.to_string().contains(WEIGHTS_FILE), "{error}");
    assert!(!folder.join(CONFIG_FILE).exists());
}
