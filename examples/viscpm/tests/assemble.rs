//! Chat models from parts of others.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use burn::{backend::Flex, tensor::DType};
use mpm_core::weights::{KeyMap, LoadOptions, Precision, WeightFile, save};
use mpm_data::picture::Picture;
use mpm_llm::any::AnyLlm;
use mpm_test_support::program::{Outcome, TestFolder, run};
use mpm_vision::siglip::SiglipVisionConfig;
use serde_json::json;
use viscpm_chat::{ChatModel, ChatSession};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

const CPM_BEE: &str = "models/viscpm-chat-emoji";
const LLAMA: &str = "models/llama-siglip-emoji";

fn assemble(folder: &TestFolder, llm: &str, arguments: &[&str]) -> Outcome {
    let mut program = folder.program(env!("CARGO_BIN_EXE_viscpm"));
    program.arg("assemble").arg("--llm").arg(root(llm));
    run(program.args(["--out", "model"]).args(arguments))
}

/// The tensors of a model folder below a path, by their names.
fn tensors(folder: &Path, below: &str) -> Vec<(String, Vec<u8>)> {
    let file = WeightFile::open(folder.join("model.safetensors")).unwrap();
    let chosen = file
        .tensors()
        .iter()
        .filter(|(key, _)| key.starts_with(below));
    let tensors: Vec<_> = chosen
        .map(|(key, tensor)| (key.clone(), tensor.read().unwrap().bytes.to_vec()))
        .collect();
    assert!(!tensors.is_empty(), "{below}");
    tensors
}

fn answer(folder: &Path) -> String {
    let model = ChatModel::<Flex>::open(folder, &Default::default(), &LoadOptions::default());
    let model = model.unwrap();
    let mut session = ChatSession::new(&model).unwrap();
    let picture = Picture::open(root("docs/images/rocket.png")).unwrap();
    session.show(&picture).unwrap();
    let params = &model.config.decoding;
    let answer = session.ask("What is this?", params, |_| ControlFlow::Continue(()));
    answer.unwrap().answer
}

#[test]
fn a_visual_module_comes_behind_another_language_model() {
    let folder = TestFolder::new();
    let source = root(LLAMA);
    let from = ["--visual-from", source.to_str().unwrap()];
    assert_eq!(assemble(&folder, CPM_BEE, &from).text(), "");
    let made = folder.path("model");
    assert_eq!(
        tensors(&made, "visual.encoder."),
        tensors(&source, "visual.encoder.")
    );
    assert_eq!(tensors(&made, "llm."), tensors(&root(CPM_BEE), "llm."));
    // What leads to the language model is new, and the seed decides about it.
    let connector = |folder: &Path| tensors(folder, "visual.connector.");
    assert_ne!(connector(&made), connector(&source));
    let first = connector(&made);
    assert_eq!(assemble(&folder, CPM_BEE, &from).text(), "");
    assert_eq!(connector(&made), first);
    let other = [&from[..], &["--seed", "1"]].concat();
    assert_eq!(assemble(&folder, CPM_BEE, &other).text(), "");
    assert_ne!(connector(&made), first);
    answer(&made);
}

#[test]
fn a_muffin_comes_before_a_model_of_the_llama_family() {
    let folder = TestFolder::new();
    let source = root(CPM_BEE);
    let from = ["--visual-from", source.to_str().unwrap()];
    assert_eq!(assemble(&folder, LLAMA, &from).text(), "");
    let made = folder.path("model");
    assert_eq!(tensors(&made, "vpm."), tensors(&source, "vpm."));
    assert_ne!(tensors(&made, "mapping."), tensors(&source, "mapping."));
    let model = ChatModel::<Flex>::open(&made, &Default::default(), &LoadOptions::default());
    assert!(matches!(model.unwrap().model.llm, AnyLlm::Llama(_)));
    answer(&made);
}

#[test]
fn an_encoder_of_hugging_face_gets_a_connector() {
    let folder = TestFolder::new();
    let sizes = json!({
        "model_type": "siglip_vision_model", "hidden_size": 32, "intermediate_size": 48,
        "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32, "patch_size": 8,
        "vision_use_head": false,
    });
    fs::create_dir(folder.path("siglip")).unwrap();
    folder.write("siglip/config.json", sizes.to_string());
    let mean = json!({"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.4]});
    folder.write("siglip/preprocessor_config.json", mean.to_string());
    let config: SiglipVisionConfig = serde_json::from_value(sizes).unwrap();
    let encoder = config.init::<Flex>(&Default::default()).unwrap();
    let file = folder.path("siglip/model.safetensors");
    save(&encoder, &file, &KeyMap::new(), Precision::Cast(DType::F16)).unwrap();

    let arguments = ["--encoder", "siglip", "--layer", "-2"];
    assert_eq!(assemble(&folder, LLAMA, &arguments).text(), "");
    let made = folder.path("model");
    let read = |folder: &Path| tensors(folder, "");
    let stored = WeightFile::open(&file).unwrap();
    let own: Vec<_> = read(&made)
        .into_iter()
        .filter_map(|(key, bytes)| Some((key.strip_prefix("visual.encoder.")?.to_owned(), bytes)))
        .collect();
    assert_eq!(own.len(), stored.tensors().len());
    for (key, bytes) in own {
        let expected = stored.tensors()[&key].read().unwrap().bytes.to_vec();
        assert_eq!(bytes, expected, "{key}");
    }
    let model = ChatModel::<Flex>::open(&made, &Default::default(), &LoadOptions::default());
    let config = model.unwrap().config;
    assert_eq!(config.preprocessing.mean, [0.4, 0.5, 0.6]);
    assert_eq!(config.model.visual.features.vision_feature_layer, Some(-2));
    answer(&made);
}

#[test]
fn what_cannot_be_put_together_is_refused() {
    let folder = TestFolder::new();
    let siglip = root(LLAMA);
    let siglip = siglip.to_str().unwrap();
    assemble(&folder, LLAMA, &[]).fails(2, &["--encoder", "--visual-from"]);
    let both = ["--encoder", "x", "--visual-from", siglip];
    assemble(&folder, LLAMA, &both).fails(2, &["cannot be used"]);
    let missing = ["--encoder", "nowhere"];
    assemble(&folder, LLAMA, &missing).fails(1, &["nowhere", "no such folder"]);
    fs::create_dir(folder.path("bert")).unwrap();
    folder.write("bert/config.json", r#"{"model_type": "bert"}"#);
    let bert = ["--encoder", "bert"];
    assemble(&folder, LLAMA, &bert).fails(1, &["`model_type` is `bert`", "siglip"]);
    folder.write("visual.json", r#"{"connector": {"type": "mlp"}}"#);
    let incomplete = ["--visual-config", "visual.json"];
    assemble(&folder, LLAMA, &incomplete).fails(1, &["visual.json", "missing field"]);
    assert!(!folder.path("model/config.json").exists());
}
