//! The program, on models of the shipped ones' sizes.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use burn::backend::Flex;
use mpm_core::weights::{Format, LoadOptions, WeightFile};
use mpm_test_support::program::{Outcome, TestFolder, run};
use viscpm_chat::ChatModel;
use viscpm_paint::PaintModel;

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../models")
        .join(name)
}

/// The program with the configuration of a shipped model.
fn viscpm(folder: &TestFolder, command: &str, name: &str) -> Command {
    let mut program = folder.program(env!("CARGO_BIN_EXE_viscpm"));
    program.arg(command);
    program.arg("--config").arg(model(name).join("config.json"));
    program
}

fn random(folder: &TestFolder, name: &str, arguments: &[&str]) {
    let outcome = run(viscpm(folder, "random-checkpoint", name).args(arguments));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert!(outcome.stderr.contains("billion values"), "{outcome:?}");
}

fn convert(folder: &TestFolder, name: &str, arguments: &[&str]) -> Outcome {
    let mut program = viscpm(folder, "convert", name);
    program.arg("--vocab").arg(model(name).join("vocab.txt"));
    run(program.args(arguments))
}

fn assert_same_tensors(one: &Path, other: &Path) {
    let [one, other] = [one, other].map(|path| WeightFile::open(path).unwrap());
    assert!(one.tensors().keys().eq(other.tensors().keys()));
    for (key, tensor) in one.tensors() {
        let [a, b] = [tensor, &other.tensors()[key]].map(|tensor| tensor.read().unwrap());
        assert!(a == b, "{key}");
    }
}

#[test]
fn a_chat_checkpoint_becomes_a_folder_of_the_same_weights() {
    const CHAT: &str = "viscpm-chat-emoji";
    let folder = TestFolder::new();
    for file in ["official.pt", "official.safetensors"] {
        random(&folder, CHAT, &["chat", "--out", file]);
    }
    assert_eq!(
        WeightFile::open(folder.path("official.pt"))
            .unwrap()
            .format(),
        Format::TorchZip
    );
    assert_same_tensors(
        &folder.path("official.pt"),
        &folder.path("official.safetensors"),
    );
    let limited = ["--checkpoint", "official.pt", "--shard-size", "1MB"];
    let outcome = convert(
        &folder,
        CHAT,
        &[&limited[..], &["--out", "shards"]].concat(),
    );
    assert_eq!(outcome.text(), "");
    let whole = ["--checkpoint", "official.safetensors", "--out", "whole"];
    assert_eq!(convert(&folder, CHAT, &whole).text(), "");
    assert_same_tensors(
        &folder.path("shards/model.safetensors.index.json"),
        &folder.path("whole/model.safetensors"),
    );
    // What no forward pass reads is left out.
    let weights = WeightFile::open(folder.path("whole/model.safetensors")).unwrap();
    assert!(!weights.tensors().contains_key("vpm.mim_head.bias"));
    let options = LoadOptions::default();
    ChatModel::<Flex>::open(folder.path("shards"), &Default::default(), &options).unwrap();

    let verify = || {
        let mut program = folder.program(env!("CARGO_BIN_EXE_viscpm"));
        run(program.args(["verify", "shards"]))
    };
    assert_eq!(verify().stderr, "shards: no file has changed\n");
    fs::write(folder.path("shards/vocab.txt"), "a\n").unwrap();
    verify().fails(1, &["vocab.txt", "checksum"]);
}

#[test]
fn a_paint_checkpoint_becomes_a_folder_that_paints() {
    const PAINT: &str = "viscpm-paint-emoji";
    let folder = TestFolder::new();
    let files = ["paint", "--out", "paint.pt", "--vae", "vae.safetensors"];
    random(&folder, PAINT, &files);
    let files = ["--checkpoint", "paint.pt", "--vae", "vae.safetensors"];
    let target = ["--out", "model", "--dtype", "f32"];
    let outcome = convert(&folder, PAINT, &[files, target].concat());
    assert_eq!(outcome.text(), "");
    let options = LoadOptions::default();
    PaintModel::<Flex>::open(folder.path("model"), &Default::default(), &options).unwrap();

    let without_vae = ["--checkpoint", "paint.pt", "--out", "other"];
    convert(&folder, PAINT, &without_vae).fails(2, &["name its --vae"]);
    assert!(!folder.path("other").exists());
}

#[test]
fn what_is_there_is_replaced_on_request_only() {
    const CHAT: &str = "viscpm-chat-emoji";
    let folder = TestFolder::new();
    let file = ["chat", "--out", "chat.pt"];
    folder.write("chat.pt", "mine");
    let again = |more: &[&str]| {
        let arguments = [&file, more].concat();
        run(viscpm(&folder, "random-checkpoint", CHAT).args(arguments))
    };
    again(&[]).fails(1, &["chat.pt: the file is there already", "--force"]);
    assert_eq!(fs::read(folder.path("chat.pt")).unwrap(), b"mine");
    assert_eq!(again(&["--force"]).code, Some(0));

    let files = ["--checkpoint", "chat.pt", "--out", "model"];
    assert_eq!(convert(&folder, CHAT, &files).text(), "");
    let config = fs::read(folder.path("model/config.json")).unwrap();
    let narrow = [&files[..], &["--dtype", "f32"]].concat();
    let refused = convert(&folder, CHAT, &narrow);
    refused.fails(1, &["model: there is a model already", "--force"]);
    assert!(!folder.path("model/.partial").exists());
    assert_eq!(fs::read(folder.path("model/config.json")).unwrap(), config);
    let forced = [&narrow[..], &["--force"]].concat();
    assert_eq!(convert(&folder, CHAT, &forced).text(), "");
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    const CHAT: &str = "viscpm-chat-emoji";
    let folder = TestFolder::new();
    random(&folder, CHAT, &["chat", "--out", "chat.pt"]);
    let with_vae = ["--checkpoint", "chat.pt", "--vae", "x", "--out", "model"];
    convert(&folder, CHAT, &with_vae).fails(2, &["has no --vae"]);
    // The published model is larger.
    let mut program = folder.program(env!("CARGO_BIN_EXE_viscpm"));
    program
        .arg("convert")
        .arg("--vocab")
        .arg(model(CHAT).join("vocab.txt"));
    let files = ["--checkpoint", "chat.pt", "--out", "model"];
    run(program.args(files)).fails(1, &["the vocabulary has", "86583"]);
    // A word more than the model has.
    let mut words = fs::read_to_string(model(CHAT).join("vocab.txt")).unwrap();
    words.push_str("\nunheard-of");
    folder.write("long.txt", words);
    let mut program = viscpm(&folder, "convert", CHAT);
    let files = [
        "--checkpoint",
        "chat.pt",
        "--vocab",
        "long.txt",
        "--out",
        "model",
    ];
    run(program.args(files)).fails(1, &["use the vocabulary that came with the weights"]);
    let index = r#"{"weight_map": {"query": "1.bin", "mapping.0.bias": "2.bin"}}"#;
    folder.write("index.json", index);
    let shards = ["--checkpoint", "index.json", "--out", "model"];
    convert(&folder, CHAT, &shards).fails(1, &["2 of the 2 files", "1.bin, 2.bin"]);
    assert!(!folder.path("model").exists());
}
