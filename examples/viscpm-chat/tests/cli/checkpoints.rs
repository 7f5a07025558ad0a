//! Single files instead of a folder: the official layout and what is mistaken for it.

use std::{fs, path::Path};

use burn::tensor::DType;
use mpm_core::weights::{KeyMap, Precision, save};
use mpm_test_support::{cases, folder};
use viscpm_chat::ModelConfig;

use crate::{
    config::config,
    sandbox::{Outcome, Sandbox, model, run},
};

fn open(sandbox: &Sandbox, checkpoint: &Path, vocabulary: &str, config: &str) -> Outcome {
    let mut command = sandbox.without_model();
    command.arg("--checkpoint").arg(checkpoint);
    command.args(["--vocab", vocabulary, "--config", config]);
    run(command.args(["--image", "picture.png", "--question", "What is this?"]))
}

#[test]
fn a_safetensors_file_is_as_good_as_its_folder() {
    let sandbox = Sandbox::new();
    let weights = sandbox.path("model/model.safetensors");
    let outcome = open(&sandbox, &weights, "model/vocab.txt", "model/config.json");
    assert_eq!(outcome.line(), sandbox.ask(&[]).line());
}

#[test]
fn what_torch_saved_is_read() {
    let sandbox = Sandbox::new();
    for case in cases("i_ckpt_chat_") {
        let mut config = ModelConfig::new(config(&case)).unwrap();
        config.decoding.max_new_tokens = 8;
        sandbox.write("config.json", serde_json::to_vec(&config).unwrap());
        let vocabulary = fs::read_to_string(sandbox.path("model/vocab.txt")).unwrap();
        let mut lines: Vec<String> = vocabulary.lines().map(str::to_owned).collect();
        lines.extend((lines.len()..config.model.llm.vocab_size()).map(|id| format!("word{id}")));
        sandbox.write("vocab.txt", lines.join("\n") + "\n");
        let mut answers = Vec::new();
        for name in case.json["files"].as_object().unwrap().keys() {
            // The one without a language model is refused, see below.
            if !name.contains("mixed") {
                let file = folder().join("i_checkpoints").join(name);
                let outcome = open(&sandbox, &file, "vocab.txt", "config.json");
                answers.push(outcome.line().to_owned());
            }
        }
        assert!(answers.len() >= 3);
        assert!(
            answers.iter().all(|answer| *answer == answers[0]),
            "{answers:?}"
        );
    }
}

#[test]
fn the_wrong_file_is_named_for_what_it_is() {
    let sandbox = Sandbox::new();
    let torch = fs::read(folder().join("i_checkpoints/chat_a.pt")).unwrap();
    let legacy = fs::read(folder().join("i_checkpoints/chat_a_legacy.pt")).unwrap();
    let weights = fs::read(sandbox.path("model/model.safetensors")).unwrap();
    let marker = sandbox.path("executed");
    let command = format!("touch {}", marker.display());
    let length = (command.len() as u32).to_le_bytes();
    let pickle = [
        b"\x80\x02cposix\nsystem\nX",
        &length[..],
        command.as_bytes(),
        b"\x85R.",
    ]
    .concat();
    let files: [(&str, &[u8], &[&str]); 7] = [
        (
            "notes.pt",
            b"These are notes.",
            &["a text file", "expected safetensors or"],
        ),
        ("empty.pt", b"", &["an empty file"]),
        (
            "half.pt",
            &torch[..torch.len() / 2],
            &["damaged or incomplete"],
        ),
        (
            "legacy_half.pt",
            &legacy[..legacy.len() / 2],
            &["damaged or incomplete"],
        ),
        (
            "half.safetensors",
            &weights[..weights.len() / 2],
            &["damaged or incomplete"],
        ),
        (
            "code.pt",
            &pickle,
            &["`posix.system`", "nothing was executed"],
        ),
        (
            "other.pt",
            &torch,
            &["does not belong to this model", "another shape"],
        ),
    ];
    for (name, content, reasons) in files {
        let path = sandbox.write(name, content);
        let outcome = open(&sandbox, &path, "model/vocab.txt", "model/config.json");
        outcome.fails(1, &[&[name], reasons].concat());
    }
    assert!(!marker.exists());
    let missing = sandbox.path("missing.pt");
    open(&sandbox, &missing, "model/vocab.txt", "model/config.json").fails(1, &["missing.pt"]);
}

#[test]
fn a_paint_checkpoint_is_recognised() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("paint.safetensors");
    let keys = KeyMap::new().rename("unet", "visual");
    save(&model().model, &path, &keys, Precision::Cast(DType::F16)).unwrap();
    let outcome = open(&sandbox, &path, "model/vocab.txt", "model/config.json");
    outcome.fails(1, &["paint.safetensors", "VisCPM-Paint", "needs the chat"]);
}

#[test]
fn the_vocabulary_and_the_configuration_are_named_too() {
    let sandbox = Sandbox::new();
    let weights = sandbox.path("model/model.safetensors");
    sandbox.write("words.txt", "cat\ndog\n");
    for (vocabulary, reason) in [
        ("picture.png", "not UTF-8"),
        ("words.txt", "lacks the special tokens"),
        ("missing.txt", "missing.txt"),
    ] {
        let outcome = open(&sandbox, &weights, vocabulary, "model/config.json");
        outcome.fails(1, &[vocabulary, reason]);
    }
    for (config, reason) in [
        ("words.txt", "line 1 column 1"),
        ("missing.json", "No such file"),
    ] {
        open(&sandbox, &weights, "model/vocab.txt", config).fails(1, &[config, reason]);
    }
    // Without --config the checkpoint is taken for the published model.
    let mut command = sandbox.without_model();
    command
        .arg("--checkpoint")
        .arg(&weights)
        .args(["--vocab", "model/vocab.txt"]);
    let outcome = run(command.args(["--question", "?"]));
    outcome.fails(1, &["vocab.txt", "the vocabulary has 1", "86583"]);
}
