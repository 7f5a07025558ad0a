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
    settings["pairs"]["counts"] = json!([0, 4]);
    settings["pairs"]["mixed_text"]["steps"] = json!(2);
    settings["pairs"]["mixed_text"]["batch"] = json!(4);
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
    settings["paintings"] = json!(1);
    let paint = &mut settings["paint"];
    paint["emoji"] = json!(3);
    paint["versions"] = json!(1);
    paint["vae"]["block_out_channels"] = json!([4, 4, 4]);
    paint["vae"]["norm_num_groups"] = json!(2);
    paint["unet"]["block_out_channels"] = json!([8, 8]);
    paint["unet"]["norm_num_groups"] = json!(2);
    paint["unet"]["cross_attention_dim"] = json!(8);
    paint["unet"]["attention_head_dim"] = json!([1, 2]);
    for stage in ["autoencoder", "painter", "judge"] {
        paint[stage]["steps"] = json!(2);
        paint[stage]["batch"] = json!(4);
        paint[stage]["parts"] = json!(1);
    }
    paint["autoencoder_resolutions"] = json!([{ "size": 32, "steps": 2 }]);
    paint["painter_resolutions"] = json!([{ "size": 32, "steps": 2 }]);
    paint["defaults"]["steps"] = json!(2);
    settings
}

fn run(folder: &Path, experiment: &[&str]) -> (bool, String, String) {
    let set = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../build-emoji-set/emoji.tar.zst"
    );
    let output = Command::new(env!("CARGO_BIN_EXE_experiments"))
        .args(experiment)
        .args(["--settings", "settings.json", "--run", "run"])
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
    let pictures = pictures(folder);
    let outside = ["outside", "--name", "photographs", "--pictures", &pictures];
    for (experiment, plots, arms) in [
        (
            &["transfer"][..],
            &["transfer-training.svg", "transfer-held-out.svg"][..],
            &["zero-shot", "native de", "translated de", "translations"][..],
        ),
        (
            &["pairs"],
            &["pairs-named.svg", "pairs-in-the-language.svg"],
            &["0 pairs", "4 pairs"],
        ),
        (&["alignment"], &["alignment.svg"], &["together", "apart"]),
        (
            &["paint"],
            &["paint.svg"],
            &["painted", "without a prompt", "drawn"],
        ),
        (&outside, &["outside.svg"], &["photographs"]),
    ] {
        let (succeeded, shown, noted) = run(folder, experiment);
        assert!(succeeded, "{noted}");
        for plot in plots {
            let plot = fs::read_to_string(folder.join("results").join(plot)).unwrap();
            assert!(plot.starts_with("<svg"), "{plot}");
        }
        let figures = lines(folder, &format!("{}.jsonl", experiment[0]));
        for &arm in arms {
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
    for seed in [1, 2] {
        let sheet = folder.join(format!("results/paint-{seed}.png"));
        let sheet = image::open(sheet).unwrap();
        // Three things, a row for each language.
        assert_eq!((sheet.width(), sheet.height()), (3 * 32, 2 * 32));
    }
}

/// A folder with a picture of a thing that every model knows.
fn pictures(folder: &Path) -> String {
    let pictures = folder.join("pictures");
    fs::create_dir(&pictures).unwrap();
    let dog = image::RgbaImage::from_pixel(20, 10, image::Rgba([120, 80, 40, 255]));
    dog.save(pictures.join("Dog.png")).unwrap();
    pictures.to_str().unwrap().to_owned()
}

#[test]
fn pictures_of_other_things_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("settings.json"), settings().to_string()).unwrap();
    fs::create_dir(folder.join("empty")).unwrap();
    for (pictures, expected) in [("empty", "dog.png"), ("missing", "missing")] {
        let arguments = ["outside", "--name", "x", "--pictures", pictures];
        let (succeeded, _, noted) = run(folder, &arguments);
        assert!(!succeeded && noted.contains(expected), "{noted}");
        // That is known before anything is trained.
        assert!(!noted.contains("training"), "{noted}");
    }
}

#[test]
fn other_settings_do_not_mix_with_the_published_figures() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("settings.json"), settings().to_string()).unwrap();
    for folders in [&[][..], &["--run", "run"], &["--results", "results"]] {
        let output = Command::new(env!("CARGO_BIN_EXE_experiments"))
            .args(["alignment", "--settings", "settings.json"])
            .args(folders)
            .current_dir(folder.path())
            .output()
            .unwrap();
        let noted = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{folders:?}");
        assert!(noted.contains("with --run and --results"), "{noted}");
    }
}

#[test]
fn unsound_settings_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (field, value, expected) in [
        ("languages", json!(["de", "en"]), "`en`"),
        ("seeds", json!([]), "`seeds`"),
        ("paintings", json!(0), "`paintings`"),
        ("sedes", json!([1]), "`sedes`"),
    ] {
        let mut settings = settings();
        settings[field] = value;
        fs::write(folder.path().join("settings.json"), settings.to_string()).unwrap();
        let (succeeded, _, noted) = run(folder.path(), &["pairs"]);
        assert!(!succeeded && noted.contains(expected), "{noted}");
    }
}
