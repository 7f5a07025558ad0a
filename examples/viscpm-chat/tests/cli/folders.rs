//! Model folders: what is written, what is read, and what is refused.

use std::fs;

use burn::tensor::DType;
use serde_json::{Value, json};
use viscpm_chat::ChatError;

use crate::sandbox::{Outcome, Sandbox, model, run};

fn names(folder: &std::path::Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Asks with one value of `config.json` changed.
fn with(pointer: &str, value: Value) -> Outcome {
    let sandbox = Sandbox::new();
    let path = sandbox.path("model/config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    config.pointer_mut(parent).unwrap()[key] = value;
    fs::write(path, config.to_string()).unwrap();
    sandbox.ask(&[])
}

#[test]
fn half_precision_folders_run_in_every_dtype() {
    let sandbox = Sandbox::new();
    for stored in [DType::F16, DType::BF16] {
        model().save(sandbox.path("model"), stored).unwrap();
        for dtype in ["stored", "f32", "f16", "bf16"] {
            assert!(!sandbox.ask(&["--dtype", dtype]).line().is_empty());
        }
    }
}

#[test]
fn a_contradictory_configuration_is_refused() {
    for (pointer, value, reasons) in [
        (
            "/format_version",
            json!(2),
            &["config.json", "format version 2", "update"][..],
        ),
        (
            "/format_version",
            json!(0),
            &["config.json", "format version 0", "save"],
        ),
        (
            "/format_version",
            json!("1"),
            &["config.json", "invalid type"],
        ),
        (
            "/colour",
            json!(1),
            &["config.json", "unknown field `colour`"],
        ),
        (
            "/model/llm/colour",
            json!(1),
            &["config.json", "`llm`: unknown field `colour`"],
        ),
        (
            "/model/visual/encoder/colour",
            json!(1),
            &["`visual`: unknown field `encoder.colour`"],
        ),
        (
            "/preprocessing/colour",
            json!(1),
            &["unknown field `preprocessing.colour`"],
        ),
        (
            "/max_prompt_tokens",
            json!(-1),
            &["config.json", "invalid value"],
        ),
        ("/max_prompt_tokens", json!(3), &["the limit is 3"]),
        (
            "/decoding/temperature",
            json!("warm"),
            &["config.json", "invalid type"],
        ),
        (
            "/decoding/repetition_penalty",
            json!(0.5),
            &["config.json", "repetition_penalty"],
        ),
        (
            "/decoding/speed",
            json!(2),
            &["config.json", "unknown field `speed`"],
        ),
        (
            "/preprocessing/size",
            json!(64),
            &["config.json", "preprocessing.size", "image_size"],
        ),
        ("/preprocessing/size", json!(0), &["config.json", "nonzero"]),
        ("/model/llm/vocab_size", json!(999), &["vocab_size", "999"]),
        (
            "/model/llm/num_layers",
            json!(3),
            &["model.safetensors", "llm.encoder.layers.2"],
        ),
        ("/model/llm/dim_model", json!(32), &["d_llm"]),
        ("/model/llm/dim_ff", json!(0), &["dim_ff"]),
        (
            "/model/visual/encoder/patch_size",
            json!(5),
            &["patch_size"],
        ),
        ("/model/visual/encoder/num_heads", json!(0), &["num_heads"]),
        (
            "/weights",
            json!("missing.safetensors"),
            &["missing.safetensors"],
        ),
        (
            "/vocabulary",
            json!("config.json"),
            &["config.json", "lacks the special tokens"],
        ),
    ] {
        println!("{pointer} {value}");
        with(pointer, value).fails(1, reasons);
    }
    // A newer version is refused as such, whatever else it has.
    let sandbox = Sandbox::new();
    sandbox.write(
        "model/config.json",
        r#"{"format_version": 7, "all": "new"}"#,
    );
    sandbox.ask(&[]).fails(1, &["format version 7"]);
}

#[test]
fn a_vocabulary_of_another_size_is_refused() {
    let sandbox = Sandbox::new();
    let path = sandbox.path("model/vocab.txt");
    let vocabulary = fs::read_to_string(&path).unwrap();
    fs::write(&path, vocabulary + "more\n").unwrap();
    sandbox
        .ask(&[])
        .fails(1, &["the vocabulary has", "llm.vocab_size"]);
}

#[test]
fn a_folder_without_a_model_is_named() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("empty")).unwrap();
    for name in ["empty", "missing", "picture.png"] {
        let outcome = run(sandbox
            .without_model()
            .args(["--model", name, "--question", "?"]));
        outcome.fails(1, &[name, "config.json"]);
    }
}

#[test]
fn a_saved_folder_holds_three_files_that_all_may_read_alike() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("model");
    model().save(&folder, DType::F32).unwrap();
    assert_eq!(
        names(&folder),
        ["config.json", "model.safetensors", "vocab.txt"]
    );
    let permissions = |name| fs::metadata(folder.join(name)).unwrap().permissions();
    assert_eq!(permissions("model.safetensors"), permissions("config.json"));
    assert_eq!(permissions("vocab.txt"), permissions("config.json"));
}

#[test]
fn the_configuration_comes_last() {
    let sandbox = Sandbox::new();
    let folder = sandbox.path("blocked");
    fs::create_dir_all(folder.join("model.safetensors/in the way")).unwrap();
    let error = model().save(&folder, DType::F32).unwrap_err();
    assert!(matches!(error, ChatError::Folder(_)), "{error}");
    assert_eq!(names(&folder), ["model.safetensors", "vocab.txt"]);
}
