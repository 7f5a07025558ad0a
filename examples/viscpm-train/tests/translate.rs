//! A data set is translated by a command, and a model learns from it.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]
#![allow(dead_code, reason = "not every test uses every helper")]
#![cfg(unix)]

mod common;

use std::{
    fs,
    process::{Command, Output},
};

use common::{Workplace, fails, succeeds};
use serde_json::{Value, json};

/// Puts a word before each text; refuses what is blue.
const TRANSLATOR: &str = r#"sed -u -e '/blue/s/.*"id":"\([^"]*\)".*/{"id":"\1","error":"too blue"}/' -e '/blue/!s/.*"id":"\([^"]*\)","text":"\([^"]*\)".*/{"id":"\1","translation":"picha: \2"}/'"#;

fn translate(workplace: &Workplace, config: &Value) -> Output {
    let file = workplace.path("translation.json");
    fs::write(&file, config.to_string()).unwrap();
    Command::new(env!("CARGO_BIN_EXE_viscpm-translate"))
        .arg(file)
        .current_dir(workplace.folder.path())
        .output()
        .unwrap()
}

fn config(workplace: &Workplace) -> Value {
    json!({
        "dataset": {
            "format": "json_lines",
            "files": [workplace.path("captions.jsonl")],
            "language": "en",
        },
        "source": "en",
        "target": "sw",
        "output": "swahili",
        "cache": "cache",
        "service": {"command": {"command": TRANSLATOR, "timeout_s": 20}},
        "ask": {"rounds": 1, "pause_s": 0.0},
    })
}

#[test]
fn a_translated_data_set_goes_into_a_recipe() {
    let workplace = Workplace::new();
    let dataset = succeeds(translate(&workplace, &config(&workplace)));
    let dataset: Value = serde_json::from_str(&dataset).unwrap();
    assert_eq!(dataset["language"], "sw");
    let failures = fs::read_to_string(workplace.path("cache/failures.jsonl")).unwrap();
    assert!(failures.contains("too blue"), "{failures}");

    let mut recipe = workplace.recipe();
    recipe["data"]["mix"][0]["dataset"] = dataset;
    let text = succeeds(workplace.run(&recipe, &["--run", "run", "--dry-run"]));
    assert!(text.contains("picha: A red picture."), "{text}");
    assert!(!text.contains("blue"), "{text}");
}

#[test]
fn a_translator_that_cannot_be_run_is_named() {
    let workplace = Workplace::new();
    let mut broken = config(&workplace);
    broken["service"]["command"]["command"] = json!("no-such-translator");
    let text = fails(translate(&workplace, &broken));
    assert!(text.contains("no-such-translator"), "{text}");
    broken["taget"] = json!("de");
    let text = fails(translate(&workplace, &broken));
    assert!(text.contains("taget"), "{text}");
}
