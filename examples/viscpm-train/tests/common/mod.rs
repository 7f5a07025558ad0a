//! A few pictures with captions, a recipe, and the program.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use mpm_data::picture::Picture;
use serde_json::{Value, json};
use tempfile::TempDir;

pub const STEPS: usize = 8;

/// A folder with everything that a run needs.
pub struct Workplace {
    pub folder: TempDir,
}

impl Workplace {
    pub fn new() -> Self {
        let workplace = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let mut captions = String::new();
        for number in 0..10u8 {
            let (name, colour) =
                [("red", [200, 30, 30]), ("blue", [30, 30, 200])][usize::from(number % 2)];
            let shade = |part: u8| part.saturating_add(number);
            let pixels = (0..32 * 24).flat_map(|_| colour.map(shade)).collect();
            let picture = Picture::from_rgb(32, 24, pixels).unwrap();
            let file = format!("{number}.png");
            fs::write(workplace.path(&file), picture.encode_png(&[]).unwrap()).unwrap();
            let line = json!({"image": file, "caption": format!("A {name} picture.")});
            captions.push_str(&format!("{line}\n"));
        }
        fs::write(workplace.path("captions.jsonl"), captions).unwrap();
        workplace
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// An archive of a picture and its caption.
    pub fn archive(&self) -> Vec<u8> {
        let mut archive = tar::Builder::new(Vec::new());
        for (file, name) in [("0.png", "0.png"), ("captions.jsonl", "0.txt")] {
            let path = self.path(file);
            archive.append_path_with_name(path, name).unwrap();
        }
        archive.into_inner().unwrap()
    }

    /// A recipe that trains the visual module of the model that ships.
    pub fn recipe(&self) -> Value {
        let data = |name: &str| {
            json!([{
                "name": name,
                "dataset": {"format": "json_lines", "files": [self.path("captions.jsonl")], "language": "en"},
            }])
        };
        json!({
            "version": 1,
            "name": "a test",
            "seed": 7,
            "steps": STEPS,
            "model": {"assembly": "chat", "folder": shipped("viscpm-chat-emoji")},
            "trainable": ["visual"],
            "objective": {"kind": "captions"},
            "data": {"mix": data("captions"), "window": 4, "max_tokens": 200, "augmentation": "randaugment"},
            "batch": {"samples": 4, "micro": 2},
            "schedule": {"peak": 1e-4, "warmup_steps": 3},
            "checkpoints": {"every": 2, "keep": 2},
            "evaluation": {"mix": data("held out"), "samples": 4},
        })
    }

    /// A recipe that trains the attention to the text of the paint model that ships.
    pub fn paint_recipe(&self) -> Value {
        let mut recipe = self.recipe();
        recipe["model"] = json!({"assembly": "paint", "folder": shipped("viscpm-paint-emoji")});
        recipe["trainable"] = json!(["trans_block", "unet.**.attn2"]);
        recipe["objective"] = json!({
            "kind": "diffusion",
            "condition_dropout": 0.1,
            "resolutions": [{"size": 32, "steps": 4}, {"size": 64, "steps": 4}],
        });
        recipe["average_decay"] = json!(0.9);
        recipe
    }

    /// Runs a recipe.
    pub fn run(&self, recipe: &Value, arguments: &[&str]) -> Output {
        self.command(recipe, arguments).output().unwrap()
    }

    pub fn command(&self, recipe: &Value, arguments: &[&str]) -> Command {
        let file = self.path("recipe.json");
        fs::write(&file, recipe.to_string()).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_viscpm-train"));
        command
            .arg("--recipe")
            .arg(file)
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// The parameters after the last step, byte for byte.
    pub fn last_weights(&self, run: &str) -> Vec<u8> {
        let folder = format!("{run}/checkpoints/step-{STEPS:08}/model.safetensors");
        fs::read(self.path(&folder)).unwrap()
    }

    /// Losses and scores by step.
    pub fn losses(&self, run: &str) -> Vec<(u64, f64)> {
        let text = fs::read_to_string(self.path(&format!("{run}/metrics.jsonl"))).unwrap();
        text.lines()
            .map(|line| {
                let report: Value = serde_json::from_str(line).unwrap();
                (
                    report["step"].as_u64().unwrap(),
                    report["loss"].as_f64().unwrap(),
                )
            })
            .collect()
    }
}

pub fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../models")
        .join(name)
}

pub fn succeeds(output: Output) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

pub fn fails(output: Output) -> String {
    assert!(!output.status.success(), "it should have failed");
    String::from_utf8(output.stderr).unwrap()
}
