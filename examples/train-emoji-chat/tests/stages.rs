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

const STAGES: [&str; 4] = ["language", "alignment", "vision", "instruction"];

const SHIPPED: &str = include_str!("../recipe.json");

/// The recipe of the walk-through in `docs/your-language.md`.
const SWAHILI: &str = include_str!("../recipes/swahili.json");

/// The recipe of other parts, of `docs/other-parts.md`.
const LLAMA_SIGLIP: &str = include_str!("../recipes/llama-siglip.json");

/// A recipe, with a few steps of little work.
fn shrunk(recipe: &str) -> Value {
    let mut recipe: Value = serde_json::from_str(recipe).unwrap();
    recipe["names"] = json!(12);
    recipe["vocabulary_size"] = json!(400);
    recipe["text_share"] = json!(0.4);
    let model = &mut recipe["model"];
    model["visual"]["d_llm"] = json!(16);
    let is_llama = model["llm"]["model_type"].is_string();
    match is_llama {
        true => shrink_llama_siglip(model),
        false => shrink_muffin(model),
    }
    for stage in STAGES {
        recipe[stage]["steps"] = json!(3);
        recipe[stage]["batch"] = json!(9);
        recipe[stage]["warmup"] = json!(1);
        recipe[stage]["parts"] = json!(4);
    }
    recipe
}

fn shrink_muffin(model: &mut Value) {
    let llm = &mut model["llm"];
    llm["dim_model"] = json!(16);
    llm["num_heads"] = json!(2);
    llm["dim_head"] = json!(8);
    llm["dim_ff"] = json!(16);
    llm["num_layers"] = json!(1);
    let encoder = &mut model["visual"]["encoder"];
    encoder["d_model"] = json!(16);
    encoder["d_ff"] = json!(16);
    encoder["num_heads"] = json!(2);
    encoder["num_layers"] = json!(1);
    let convolutions = encoder["stem_channels"].as_array().unwrap().len();
    encoder["stem_channels"] = json!(vec![4; convolutions]);
}

fn shrink_llama_siglip(model: &mut Value) {
    for part in ["/llm", "/visual/encoder"] {
        let part = model.pointer_mut(part).unwrap();
        part["hidden_size"] = json!(16);
        part["intermediate_size"] = json!(16);
        part["num_hidden_layers"] = json!(1);
    }
}

#[test]
fn a_batch_that_cannot_be_cut_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut recipe = shrunk(SHIPPED);
    recipe["vision"]["parts"] = json!(10);
    fs::write(folder.path().join("recipe.json"), recipe.to_string()).unwrap();
    let output = run(folder.path(), &["train", "language", "--run", "run"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && text.contains("`vision.parts`"),
        "{text}"
    );
}

fn run(folder: &Path, arguments: &[&str]) -> Output {
    let emoji = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../build-emoji-set/emoji.tar.zst"
    );
    Command::new(env!("CARGO_BIN_EXE_train-emoji-chat"))
        .args(arguments)
        .args(["--emoji", emoji, "--recipe", "recipe.json"])
        .current_dir(folder)
        .output()
        .unwrap()
}

fn succeed(folder: &Path, arguments: &[&str]) -> String {
    let output = run(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn steps(folder: &Path, stage: &str) -> usize {
    let metrics = folder.join("run").join(stage).join("metrics.jsonl");
    fs::read_to_string(metrics).unwrap().lines().count()
}

#[test]
fn the_stages_lead_to_a_model_that_can_be_exported_and_evaluated() {
    lead_to_a_model(SHIPPED, &["en", "zh", "de", "fr", "es", "it", "pt"]);
}

#[test]
fn so_do_those_of_another_language() {
    lead_to_a_model(SWAHILI, &["en", "sw"]);
}

#[test]
fn so_do_those_of_other_parts() {
    lead_to_a_model(LLAMA_SIGLIP, &["en", "zh", "de", "fr", "es", "it", "pt"]);
}

fn lead_to_a_model(recipe: &str, languages: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("recipe.json"), shrunk(recipe).to_string()).unwrap();

    // Each stage begins with the model of the one before.
    let early = run(folder, &["train", "vision", "--run", "run"]);
    assert!(!early.status.success());
    let text = String::from_utf8_lossy(&early.stderr).into_owned();
    assert!(text.contains("alignment"), "{text}");
    assert!(text.contains("train the stage before this one"), "{text}");

    for stage in STAGES {
        succeed(folder, &["train", stage, "--run", "run"]);
        assert_eq!(steps(folder, stage), 3);
    }
    // What is done is not done again.
    succeed(folder, &["train", "instruction", "--run", "run"]);
    assert_eq!(steps(folder, "instruction"), 3);

    let table = |stage: &str| {
        fs::read_to_string(format!("{}/run/{stage}/parameters.txt", folder.display())).unwrap()
    };
    assert!(table("language").contains("frozen  visual."));
    assert!(table("alignment").contains("trains  visual."));
    assert!(table("vision").contains("frozen  llm."));
    assert!(!table("instruction").contains("frozen  "));

    succeed(
        folder,
        &["export", "--from", "run/instruction", "--to", "shipped"],
    );
    let size = |model: &str| {
        fs::metadata(folder.join(model).join("model.safetensors"))
            .unwrap()
            .len()
    };
    assert!(size("shipped") * 10 < size("run/instruction") * 6);
    let figures = succeed(folder, &["evaluate", "--model", "shipped", "--every", "9"]);
    let splits = [
        "training",
        "held-out",
        "training, no picture",
        "training, nearest name",
    ];
    for split in splits.into_iter().chain(["English names as features"]) {
        for language in languages {
            let row = figures.lines().find(|line| {
                line.starts_with(split) && line[split.len()..].trim_start().starts_with(language)
            });
            assert!(row.is_some(), "{split} {language}: {figures}");
        }
    }
}
