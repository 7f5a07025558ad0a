//! Single files instead of a folder: the official layout and what is mistaken for it.

use std::fs;

use burn::tensor::DType;
use mpm_core::weights::{KeyMap, Precision, save};
use serde_json::{Value, json};

use crate::{
    sandbox::{Outcome, Sandbox, run},
    tiny,
};

/// Paints with an autoencoder from somewhere.
fn open(sandbox: &Sandbox, vae: &str, out: &str) -> Outcome {
    let mut command = sandbox.without_model();
    command.args(["--checkpoint", "model/model.safetensors", "--vae", vae]);
    command.args([
        "--vocab",
        "model/vocab.txt",
        "--config",
        "model/config.json",
    ]);
    run(command.args(["a red cat", "--seed", "5", "--out", out]))
}

fn config(sandbox: &Sandbox) -> Value {
    serde_json::from_slice(&fs::read(sandbox.path("model/config.json")).unwrap()).unwrap()
}

/// Writes the folder of an autoencoder as diffusers does.
fn write_vae(sandbox: &Sandbox, folder: &str) {
    fs::create_dir_all(sandbox.path(folder)).unwrap();
    let mut vae = config(sandbox)["vae"].clone();
    vae["_class_name"] = json!("AutoencoderKL");
    vae["sample_size"] = json!(32);
    sandbox.write(&format!("{folder}/config.json"), vae.to_string());
    fs::copy(
        sandbox.path("model/vae.safetensors"),
        sandbox.path(&format!("{folder}/diffusion_pytorch_model.safetensors")),
    )
    .unwrap();
}

#[test]
fn the_official_files_are_as_good_as_the_folder() {
    let sandbox = Sandbox::new();
    let expected = sandbox.painted("folder.png", &[]);
    write_vae(&sandbox, "vae");
    write_vae(&sandbox, "sd/vae");
    for (place, vae) in ["model/vae.safetensors", "vae", "sd", "sd/vae"]
        .iter()
        .enumerate()
    {
        let out = format!("{place}.png");
        let outcome = open(&sandbox, vae, &out);
        assert_eq!((outcome.code, &*outcome.stderr), (Some(0), ""), "{vae}");
        assert_eq!(sandbox.picture(&out), expected, "{vae}");
        assert_eq!(sandbox.texts(&out)["model"], "model.safetensors");
    }
}

#[test]
fn a_folder_of_diffusers_tells_sizes_and_noise() {
    let sandbox = Sandbox::new();
    write_vae(&sandbox, "sd/vae");
    let expected = sandbox.painted("folder.png", &[]);
    // The configuration's own sizes would not fit.
    let mut wrong = config(&sandbox);
    wrong["vae"]["block_out_channels"] = json!([16, 16, 16]);
    wrong["scheduler"]["beta_end"] = json!(0.02);
    fs::write(sandbox.path("model/config.json"), wrong.to_string()).unwrap();
    fs::create_dir(sandbox.path("sd/scheduler")).unwrap();
    let scheduler = json!({
        "_class_name": "PNDMScheduler", "beta_start": 0.00085, "beta_end": 0.012,
        "beta_schedule": "scaled_linear", "steps_offset": 1, "set_alpha_to_one": false,
        "clip_sample": false,
    });
    sandbox.write("sd/scheduler/scheduler_config.json", scheduler.to_string());
    let outcome = open(&sandbox, "sd", "a.png");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(sandbox.picture("a.png"), expected);
    let outcome = open(&sandbox, "sd/vae", "b.png");
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_ne!(sandbox.picture("b.png"), expected);
    open(&sandbox, "model/vae.safetensors", "c.png")
        .fails(1, &["vae.safetensors", "does not belong to this model"]);
}

#[test]
fn the_wrong_file_is_named_for_what_it_is() {
    let sandbox = Sandbox::new();
    write_vae(&sandbox, "vae");
    let fails = |vae: &str, reasons: &[&str]| open(&sandbox, vae, "a.png").fails(1, reasons);
    fails("missing.safetensors", &["missing.safetensors"]);
    sandbox.write("notes.bin", "These are notes.");
    fails("notes.bin", &["notes.bin", "a text file"]);
    fails(
        "model/model.safetensors",
        &["model.safetensors", "does not belong to this model"],
    );
    fs::create_dir(sandbox.path("empty")).unwrap();
    fails("empty", &["empty: the folder has no config.json"]);
    let weights = sandbox.path("vae/diffusion_pytorch_model.safetensors");
    fs::rename(&weights, sandbox.path("kept")).unwrap();
    fails(
        "vae",
        &["no diffusion_pytorch_model.safetensors or diffusion_pytorch_model.safetensors.index"],
    );
    fs::rename(sandbox.path("kept"), weights).unwrap();
    sandbox.write(
        "vae/config.json",
        r#"{"_class_name": "UNet2DConditionModel"}"#,
    );
    fails(
        "vae",
        &[
            "vae/config.json: this is a UNet2DConditionModel",
            "AutoencoderKL",
        ],
    );
    sandbox.write("vae/config.json", r#"{"latent_channels": 16}"#);
    fails("vae", &["16 latent channels", "unet.in_channels"]);
    assert!(!sandbox.path("a.png").exists());
}

#[test]
fn the_other_files_are_named_too() {
    let sandbox = Sandbox::new();
    let open = |checkpoint: &str, vocabulary: &str, config: &[&str]| {
        let mut command = sandbox.without_model();
        command.args(["--checkpoint", checkpoint, "--vae", "model/vae.safetensors"]);
        command.args([
            "--vocab", vocabulary, "a cat", "--seed", "1", "--out", "a.png",
        ]);
        run(command.args(config))
    };
    let config = ["--config", "model/config.json"];
    let model = tiny::model();
    let chat = sandbox.path("chat.safetensors");
    let keys = KeyMap::new().rename("vpm", "");
    save(
        &model.text_encoder.llm,
        chat,
        &keys,
        Precision::Cast(DType::F16),
    )
    .unwrap();
    let outcome = open("chat.safetensors", "model/vocab.txt", &config);
    outcome.fails(1, &["chat.safetensors", "VisCPM-Chat", "needs the paint"]);
    sandbox.write("words.txt", "cat\ndog\n");
    for (vocabulary, reason) in [
        ("start.png", "not UTF-8"),
        ("words.txt", "lacks the special tokens"),
        ("missing.txt", "missing.txt"),
    ] {
        let outcome = open("model/model.safetensors", vocabulary, &config);
        outcome.fails(1, &[vocabulary, reason]);
    }
    for (config, reason) in [
        ("words.txt", "line 1 column 1"),
        ("missing.json", "No such file"),
    ] {
        let outcome = open(
            "model/model.safetensors",
            "model/vocab.txt",
            &["--config", config],
        );
        outcome.fails(1, &[config, reason]);
    }
    // Without --config the checkpoint is taken for the published model.
    let outcome = open("model/model.safetensors", "model/vocab.txt", &[]);
    outcome.fails(1, &["vocab.txt", "has 1", "86583"]);
}
