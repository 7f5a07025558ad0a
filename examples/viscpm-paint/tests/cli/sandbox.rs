//! A tiny model of random weights, pictures, and the program.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use burn::tensor::DType;
use mpm_data::picture::{Picture, png_texts};
use serde_json::Value;
use tempfile::TempDir;

use crate::tiny;

/// A folder with `model/`, and `start.png` and `mask.png` of the size that it paints.
pub struct Sandbox(TempDir);

/// What a run of the program left.
#[derive(Debug)]
pub struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Sandbox {
    pub fn new() -> Self {
        let sandbox = Self(tempfile::tempdir().unwrap());
        tiny::model()
            .save(sandbox.path("model"), DType::F32)
            .unwrap();
        sandbox.draw("start.png", [32, 32], |x, y| {
            [(x * 8) as u8, (y * 8) as u8, 90]
        });
        sandbox.draw("mask.png", [32, 32], |x, _| {
            [if x < 16 { 255 } else { 0 }; 3]
        });
        sandbox
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    pub fn draw(&self, name: &str, [width, height]: [u32; 2], pixel: impl Fn(u32, u32) -> [u8; 3]) {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixels = places.flat_map(|(x, y)| pixel(x, y)).collect();
        let picture = Picture::from_rgb(width, height, pixels).unwrap();
        self.write(name, picture.encode_png(&[]).unwrap());
    }

    /// The program in this folder, without a model.
    pub fn program(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_viscpm-paint"));
        command.current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    /// The program with the model.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program();
        command.args(["--model", "model"]).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Outcome {
        run(&mut self.command(arguments))
    }

    /// Paints a prompt with seed 5 into a file.
    pub fn paint(&self, out: &str, arguments: &[&str]) -> Outcome {
        let prompt = ["a red cat", "--seed", "5", "--out", out];
        self.run(&[&prompt, arguments].concat())
    }

    /// The picture of [`paint`](Self::paint).
    pub fn painted(&self, out: &str, arguments: &[&str]) -> Picture {
        let outcome = self.paint(out, arguments);
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(outcome.stderr, "", "{outcome:?}");
        assert_eq!(outcome.stdout, format!("{out}\n"));
        self.picture(out)
    }

    pub fn picture(&self, name: &str) -> Picture {
        Picture::open(self.path(name)).unwrap()
    }

    pub fn texts(&self, name: &str) -> BTreeMap<String, String> {
        png_texts(&fs::read(self.path(name)).unwrap()).unwrap()
    }

    /// The names in a folder, in alphabetical order.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// What a new sandbox holds and nothing else.
    pub fn is_untouched(&self) -> bool {
        self.names("") == ["mask.png", "model", "start.png"]
    }
}

pub fn run(command: &mut Command) -> Outcome {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Outcome {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// The largest difference of two pictures of one size, in levels.
pub fn difference(left: &Picture, right: &Picture) -> u8 {
    assert_eq!(
        (left.width(), left.height()),
        (right.width(), right.height())
    );
    let pairs = left.pixels().iter().zip(right.pixels());
    pairs
        .map(|(left, right)| left.abs_diff(*right))
        .max()
        .unwrap()
}

/// A part of a sheet of 32 × 32 pictures.
pub fn part(sheet: &Picture, column: u32, row: u32) -> Picture {
    let places = (0..32).flat_map(|y| (0..32).map(move |x| (column * 32 + x, row * 32 + y)));
    let pixels = places
        .flat_map(|(x, y)| sheet.pixel(x, y).unwrap())
        .collect();
    Picture::from_rgb(32, 32, pixels).unwrap()
}

impl Outcome {
    /// The objects, when all went well.
    pub fn objects(&self) -> Vec<Value> {
        assert_eq!(self.stderr, "", "{self:?}");
        let lines = self.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Nothing but a message that says all of `parts`.
    pub fn fails(&self, code: i32, parts: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        for part in parts {
            assert!(self.stderr.contains(part), "no {part:?} in {self:?}");
        }
    }
}
