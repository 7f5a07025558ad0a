//! Stable Diffusion in the place of VisCPM-Paint: folders of diffusers and single files.

use std::{fs, path::Path};

use viscpm_paint::{StableDiffusionConfig, StableDiffusionSource};

use crate::sandbox::{Outcome, Sandbox, run};

/// A model in the repository's fixtures.
struct Model {
    folder: String,
    single: String,
    tokenizer: String,
}

/// A model whose single file has this ending. Writes its configuration to `config.json`.
fn model(sandbox: &Sandbox, name: &str, ending: &str, padding: i32) -> Model {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let path = |name: &str| {
        let path = fixtures.join(name);
        path.to_str().unwrap().to_owned()
    };
    let folder = path(name);
    let source = StableDiffusionSource::folder(Path::new(&folder)).unwrap();
    let config = StableDiffusionConfig {
        pad_token_id: Some(padding),
        ..source.config
    };
    let config = serde_json::to_string(&config).unwrap();
    sandbox.write("config.json", config);
    Model {
        folder,
        single: path(&format!("{name}_single.{ending}")),
        tokenizer: path(&format!("{name}/tokenizer")),
    }
}

fn paint(sandbox: &Sandbox, arguments: &[&str]) -> Outcome {
    run(sandbox.without_model().args(arguments))
}

const PROMPT: [&str; 5] = ["a red cat", "--seed", "5", "--steps", "2"];

#[test]
fn both_layouts_paint_the_same_pictures() {
    for (name, ending, padding) in [("s_sd1", "safetensors", 63), ("s_sd2", "ckpt", 0)] {
        let sandbox = Sandbox::new();
        let model = model(&sandbox, name, ending, padding);
        let folder = ["--model", &model.folder];
        let tokenizer = ["--tokenizer", &model.tokenizer];
        let config = ["--config", "config.json"];
        let single = [&["--model", &*model.single][..], &tokenizer, &config].concat();

        let painted = |model: &[&str], out: &str, others: &[&str]| {
            let arguments = [&PROMPT, model, &["--out", out], others].concat();
            let outcome = paint(&sandbox, &arguments);
            assert_eq!(outcome.line(), out, "{name}");
            sandbox.picture(out)
        };
        let picture = painted(&folder, "folder.png", &[]);
        assert_eq!((picture.width(), picture.height()), (16, 16));
        assert_eq!(painted(&single, "single.png", &[]), picture, "{name}");
        let sparing = painted(&single, "sparing.png", &["--low-memory"]);
        assert_eq!(sparing, picture, "{name}");
        let negative = painted(&folder, "negative.png", &["--negative", "blue dog"]);
        assert_ne!(negative, picture, "{name}");

        let texts = sandbox.texts("single.png");
        assert_eq!(texts["model"], format!("{name}_single.{ending}"));
        assert_eq!(texts["scheduler"], "dpm++2m");
        assert!(["epsilon", "v_prediction"].contains(&&*texts["prediction_type"]));
        let again = ["--from-png", "negative.png", "--out", "again.png"];
        let outcome = paint(&sandbox, &[&folder[..], &again].concat());
        assert_eq!(outcome.line(), "again.png");
        assert_eq!(sandbox.picture("again.png"), negative, "{name}");
    }
}

#[test]
fn a_prediction_that_differs_from_then_is_mentioned() {
    let sandbox = Sandbox::new();
    let model = model(&sandbox, "s_sd1", "safetensors", 63);
    let single = ["--model", &model.single, "--tokenizer", &model.tokenizer];
    let config = ["--config", "config.json"];
    let first = [&PROMPT[..], &single, &config, &["--out", "a.png"]].concat();
    assert_eq!(paint(&sandbox, &first).line(), "a.png");
    assert_eq!(sandbox.texts("a.png")["prediction_type"], "epsilon");
    let mut other: serde_json::Value =
        serde_json::from_slice(&fs::read(sandbox.path("config.json")).unwrap()).unwrap();
    other["scheduler"]["prediction_type"] = "v_prediction".into();
    sandbox.write("config.json", other.to_string());
    let again = [
        &single[..],
        &config,
        &["--from-png", "a.png", "--out", "b.png"],
    ]
    .concat();
    let outcome = paint(&sandbox, &again);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    let expected = "prediction_type epsilon, not v_prediction";
    assert!(outcome.stderr.contains(expected), "{outcome:?}");
}

#[test]
fn what_a_single_file_lacks_is_asked_for() {
    let sandbox = Sandbox::new();
    let model = model(&sandbox, "s_sd1", "safetensors", 63);
    let run = |arguments: &[&str]| {
        let out = ["--out", "a.png"];
        paint(&sandbox, &[&PROMPT[..], &out, arguments].concat())
    };
    let single = ["--model", &model.single];
    let usage = |arguments: &[&str], reasons: &[&str]| run(arguments).fails(2, reasons);
    usage(
        &single,
        &["single.safetensors: a single file has no", "--tokenizer"],
    );
    usage(
        &["--model", &model.folder, "--tokenizer", &model.tokenizer],
        &["--tokenizer is that of a single file", "s_sd1 is none"],
    );
    usage(
        &["--model", &model.folder, "--memory-limit", "1GB"],
        &["--memory-limit is for", "--low-memory"],
    );
    usage(&["--tokenizer", &model.tokenizer], &["--model"]);
    usage(
        &[&single[..], &["--prediction", "v"]].concat(),
        &["--tokenizer"],
    );
    usage(
        &[&single[..], &["--config", "config.json"]].concat(),
        &["--"],
    );

    let fails = |tokenizer: &str, others: &[&str], reasons: &[&str]| {
        let with = ["--tokenizer", tokenizer];
        run(&[&single[..], &with, others].concat()).fails(1, reasons);
    };
    let config = ["--config", "config.json"];
    fails(
        "nowhere",
        &config,
        &["nowhere: there is no such", "merges.txt"],
    );
    fs::create_dir(sandbox.path("empty")).unwrap();
    fails(
        "empty",
        &config,
        &["empty: the folder has no tokenizer.json or vocab.json with merges.txt"],
    );
    fs::create_dir(sandbox.path("odd")).unwrap();
    for name in ["vocab.json", "merges.txt"] {
        let from = Path::new(&model.tokenizer).join(name);
        fs::copy(from, sandbox.path(&format!("odd/{name}"))).unwrap();
    }
    sandbox.write("odd/merges.txt", "#version: 0.2\na b\nabc\n");
    fails("odd", &config, &["merges.txt", "line 3 is no pair"]);
    sandbox.write("odd/merges.txt", "q u\nb ird</w>\n");
    fails("odd", &config, &["odd/vocab.json", "no tokenizer for CLIP"]);

    // Without --config the file is taken for a published model, whose vocabulary is larger.
    fails(
        &model.tokenizer,
        &[],
        &["vocab.json", "its texts end with 63", "49407"],
    );
    sandbox.write("config.json", "{}");
    fails(&model.tokenizer, &config, &["config.json", "text_encoder"]);
    assert!(!sandbox.path("a.png").exists());
}

#[test]
fn what_is_no_stable_diffusion_is_named() {
    let sandbox = Sandbox::new();
    let model = model(&sandbox, "s_sd1", "safetensors", 63);
    let fails = |arguments: &[&str], reasons: &[&str]| {
        let out = ["--out", "a.png"];
        paint(&sandbox, &[&PROMPT[..], &out, arguments].concat()).fails(1, reasons);
    };
    let other = ["--model", "model/vae.safetensors"];
    fails(
        &[&other[..], &["--tokenizer", &model.tokenizer]].concat(),
        &[
            "vae.safetensors: this is no single file",
            "cond_stage_model",
        ],
    );
    fs::create_dir(sandbox.path("xl")).unwrap();
    let index = r#"{"_class_name": "StableDiffusionXLPipeline"}"#;
    sandbox.write("xl/model_index.json", index);
    fails(
        &["--model", "xl"],
        &["xl/model_index.json: this is a StableDiffusionXLPipeline"],
    );
    let index = r#"{"_class_name": "StableDiffusionPipeline"}"#;
    sandbox.write("xl/model_index.json", index);
    fails(&["--model", "xl"], &["xl/unet: there is no such folder"]);
}
