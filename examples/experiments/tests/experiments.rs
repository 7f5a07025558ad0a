//! Tiny experiments, as a user runs them.
#![allow(
    clippy::unwrap_used,
    missing_docs,
    reason = "a test fails by panicking"
)]

use std::{fs, path::Path, process::Command};

use serde_json::{Value, json};

/// The shipped settings, with a few steps of little work.
fn settings() -> Value {
    let mut settings: Value = serde_json::from_str(include_str!("../experiments.json")).unwrap();
    settings["seeds"] = json!([1, 2]);
    settings["languages"] = json!(["en", "de"]);
    settings["pairs"] = json!([0, 4]);
    settings["every"] = json!(9);
    let chat = &mut settings["chat"];
    chat["names"] = json!(12);
    chat["vocabulary_size"] = json!(600);
    chat["languages"]["text"] = json!(["en", "de"]);
    chat["languages"]["translated"] = json!(["de"]);
    let llm = &mut chat["model"]["llm"];
    llm["dim_model"] = json!(16);
    llm["num_heads"] = json!(2);
    llm["dim_head"] = json!(8);
    llm["dim_ff"] = json!(16);
    llm["num_layers"] = json!(1);
    let visual = &mut chat["model"]["visual"];
    visual["d_llm"] = json!(16);
    visual["mapping_width"] = json!(16);
    visual["encoder"]["d_model"] = json!(16);
    visual["encoder"]["d_ff"] = json!(16);
    visual["encoder"]["num_heads"] = json!(2);
    visual["encoder"]["stem_channels"] = json!([4, 4, 8]);
    for stage in ["language", "alignment", "vision", "instruction"] {
        chat[stage]["steps"] = json!(2);
        chat[stage]["batch"] = json!(4);
        chat[stage]["parts"] = json!(1);
    }
    settings
}

fn run(folder: &Path, experiment: &str) -> (bool, String, String) {
    let set = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../build-emoji-set/emoji.tar.zst"
    );
    let output = Command::new(env!("CARGO_BIN_EXE_experiments"))
        .args([experiment, "--settings", "settings.json", "--run", "run"])
        .args(["--results", "results", "--emoji", set])
        .current_dir(folder)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (shown, noted) = (text(output.stdout), text(output.stderr));
    (output.status.success(), shown, noted)
}

fn lines(folder: &Path, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join("results").join(name)).unwrap();
    let lines = text.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().unwrap()
}

#[test]
fn experiments_are_made_once_and_plotted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("settings.json"), settings().to_string()).unwrap();
    for (experiment, plots, arms) in [
        (
            "transfer",
            &["transfer-training.svg", "transfer-held-out.svg"][..],
            ["zero-shot", "native de"],
        ),
        (
            "pairs",
            &["pairs-named.svg", "pairs-in-the-language.svg"],
            ["0 pairs", "4 pairs"],
        ),
        ("alignment", &["alignment.svg"], ["together", "apart"]),
    ] {
        let (succeeded, shown, noted) = run(folder, experiment);
        assert!(succeeded, "{noted}");
        for plot in plots {
            let plot = fs::read_to_string(folder.join("results").join(plot)).unwrap();
            assert!(plot.starts_with("<svg"), "{plot}");
        }
        let figures = lines(folder, &format!("{experiment}.jsonl"));
        for arm in arms {
            assert!(shown.contains(&format!("| {arm} |")), "{shown}");
            let of_arm = figures.iter().filter(|line| line["subject"]["arm"] == arm);
            let seeds: Vec<_> = of_arm
                .map(|line| line["subject"]["seed"].as_u64())
                .collect();
            assert!(
                seeds.contains(&Some(1)) && seeds.contains(&Some(2)),
                "{arm}"
            );
        }
        // What is there is not made again.
        let (succeeded, again, noted) = run(folder, experiment);
        assert!(succeeded && !noted.contains("training"), "{noted}");
        assert_eq!(again, shown);
    }
    // Experiments share models.
    assert!(
        folder
            .join("run/seed-1/together/en/vision/config.json")
            .is_file()
    );
}

#[test]
fn unsound_settings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (field, value, expected) in [
        ("languages", json!(["de", "en"]), "`en`"),
        ("seeds", json!([]), "`seeds`"),
        ("sedes", json!([1]), "`sedes`"),
    ] {
        let mut settings = settings();
        settings[field] = value;
        fs::write(folder.path().join("settings.json"), settings.to_string()).unwrap();
        let (succeeded, _, noted) = run(folder.path(), "pairs");
        assert!(!succeeded && noted.contains(expected), "{noted}");
    }
}
