//! All stages of a tiny recipe, one after the other, as a user runs them.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use serde_json::{Value, json};

/// The repository, where the emoji set and the chat model lie.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// The model whose language model reads the prompts of the model that ships.
const CHAT_MODEL: &str = "models/viscpm-chat-emoji";

/// The recipe of the walk-through in `docs/your-language.md`.
const SWAHILI: &str = include_str!("../recipes/swahili.json");

/// The shipped recipe, with a few steps of little work.
fn recipe() -> Value {
    shrunk(include_str!("../recipe.json"))
}

fn shrunk(recipe: &str) -> Value {
    let mut recipe: Value = serde_json::from_str(recipe).unwrap();
    recipe["emoji"] = json!(3);
    recipe["versions"] = json!(1);
    recipe["vae"]["block_out_channels"] = json!([4, 4, 4]);
    recipe["vae"]["norm_num_groups"] = json!(2);
    let unet = &mut recipe["unet"];
    let levels = unet["block_out_channels"].as_array().unwrap().len();
    unet["block_out_channels"] = json!(vec![8; levels]);
    unet["norm_num_groups"] = json!(2);
    unet["cross_attention_dim"] = json!(8);
    unet["attention_head_dim"] = json!([1, 2, 2][..levels]);
    for stage in ["autoencoder", "painter", "judge"] {
        recipe[stage]["steps"] = json!(2);
        recipe[stage]["batch"] = json!(3);
        recipe[stage]["parts"] = json!(2);
        recipe[stage]["warmup"] = json!(1);
    }
    let sizes = json!([{ "size": 32, "steps": 1 }, { "size": 64, "steps": 1 }]);
    recipe["autoencoder_resolutions"] = sizes.clone();
    recipe["painter_resolutions"] = sizes;
    recipe["defaults"]["steps"] = json!(2);
    recipe
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_train-emoji-paint"))
        .current_dir(ROOT)
        .args(arguments)
        .args(["--recipe", folder.join("recipe.json").to_str().unwrap()])
        .output()
        .unwrap()
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn all_stages_run_and_the_model_is_evaluated() {
    let languages = ["en", "zh", "de", "fr", "es", "it", "pt"];
    train_and_evaluate(&recipe(), CHAT_MODEL, &languages, 14);
}

#[test]
fn so_do_those_of_another_language() {
    // Every second of three things.
    train_and_evaluate(&shrunk(SWAHILI), CHAT_MODEL, &["en", "sw"], 2);
}

#[test]
fn so_do_those_behind_a_llama() {
    let mut recipe = recipe();
    recipe["languages"] = json!(["en", "zh"]);
    recipe["prompt"]["parts"] = json!("<|user|>{text}\nWhat is this?<|end|><|assistant|>");
    train_and_evaluate(&recipe, "models/llama-siglip-emoji", &["en", "zh"], 14);
}

fn train_and_evaluate(recipe: &Value, chat_model: &str, languages: &[&str], shown: u32) {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::write(folder.join("recipe.json"), recipe.to_string()).unwrap();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (trained, shipped) = (path("run"), path("model"));

    let early = run(folder, &["train", "painter", "--run", &trained]);
    let error = String::from_utf8_lossy(&early.stderr);
    assert!(error.contains("train the autoencoder first"), "{error}");

    succeeds(folder, &["train", "autoencoder", "--run", &trained]);
    let behind = ["--run", &trained, "--chat-model", chat_model];
    for stage in ["painter", "judge"] {
        succeeds(folder, &[&["train", stage], &behind[..]].concat());
    }
    // Finished stages stay as they are.
    let weights = folder.join("run/painter/model.safetensors");
    let before = fs::read(&weights).unwrap();
    succeeds(folder, &[&["train", "painter"], &behind[..]].concat());
    assert_eq!(fs::read(&weights).unwrap(), before);

    succeeds(folder, &["export", "--run", &trained, "--to", &shipped]);
    let judge = path("model/judge.safetensors");
    let sheet = path("sheet.png");
    let table = succeeds(
        folder,
        &[
            "evaluate",
            "--model",
            &shipped,
            "--judge",
            &judge,
            "--sheet",
            &sheet,
            "--sheet-things",
            "14",
            "--every",
            "2",
            "--prompt",
            "« {name} »",
        ],
    );
    for row in ["drawn", "decoded", "no prompt"].iter().chain(languages) {
        assert!(table.lines().any(|line| line.starts_with(row)), "{table}");
    }
    let sheet = image::open(sheet).unwrap();
    // Up to twelve pictures in a row, each with those of the other languages below.
    let (columns, rows) = (shown.min(12), shown.div_ceil(12) * languages.len() as u32);
    let size = recipe["defaults"]["size"].as_u64().unwrap() as u32;
    assert_eq!(
        (sheet.width(), sheet.height()),
        (columns * size, rows * size)
    );
}

#[test]
fn a_prompt_for_another_language_model_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    fs::write(folder.join("recipe.json"), recipe().to_string()).unwrap();
    let trained = folder.join("run").to_str().unwrap().to_owned();
    succeeds(folder, &["train", "autoencoder", "--run", &trained]);
    let llama = [
        "--run",
        &trained,
        "--chat-model",
        "models/llama-siglip-emoji",
    ];
    let output = run(folder, &[&["train", "painter"], &llama[..]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(error.contains(r#"write one such as "{text}\n""#), "{error}");
}

#[test]
fn a_prompt_without_a_name_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("recipe.json"), recipe().to_string()).unwrap();
    let output = run(scratch.path(), &["evaluate", "--prompt", "a picture"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        error.contains("put {name} where the name of a thing belongs"),
        "{error}"
    );
}

#[test]
fn the_things_are_listed_in_all_languages() {
    let scratch = tempfile::tempdir().unwrap();
    fs::write(scratch.path().join("recipe.json"), recipe().to_string()).unwrap();
    let things = succeeds(scratch.path(), &["things"]);
    let mut lines = things.lines();
    assert_eq!(lines.next(), Some("en\tzh\tde\tfr\tes\tit\tpt"));
    // Three emoji, and the shapes of one colour that all languages have a name for.
    assert_eq!(lines.clone().count(), 3 + 26);
    assert!(lines.all(|line| line.split('\t').count() == 7));
    assert!(things.contains("blue square\t"), "{things}");
}

#[test]
fn steps_that_contradict_the_sizes_are_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let mut recipe = recipe();
    recipe["painter"]["steps"] = json!(3);
    fs::write(scratch.path().join("recipe.json"), recipe.to_string()).unwrap();
    let output = run(scratch.path(), &["train", "judge"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(error.contains("`painter_resolutions` has 2"), "{error}");
}
