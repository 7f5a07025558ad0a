//! A tiny model of random weights, pictures, and the program.

use std::{collections::BTreeMap, fs, ops::Deref, process::Command};

use burn::{backend::Flex, tensor::DType};
use mpm_data::picture::{Picture, png_texts};
use mpm_test_support::program::TestFolder;
pub use mpm_test_support::program::{Outcome, run};
use viscpm_paint::PaintModel;

use crate::tiny;

/// A folder with `model/`, and `start.png` and `mask.png` of the size that it paints.
pub struct Sandbox(TestFolder);

impl Deref for Sandbox {
    type Target = TestFolder;

    fn deref(&self) -> &TestFolder {
        &self.0
    }
}

impl Sandbox {
    pub fn new() -> Self {
        Self::of(tiny::model())
    }

    /// One with this model.
    pub fn of(model: PaintModel<Flex>) -> Self {
        let sandbox = Self(TestFolder::new());
        model.save(sandbox.path("model"), DType::F32).unwrap();
        sandbox.draw("start.png", [32, 32], |x, y| {
            [(x * 8) as u8, (y * 8) as u8, 90]
        });
        sandbox.draw("mask.png", [32, 32], |x, _| {
            [if x < 16 { 255 } else { 0 }; 3]
        });
        sandbox
    }

    pub fn draw(&self, name: &str, [width, height]: [u32; 2], pixel: impl Fn(u32, u32) -> [u8; 3]) {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
        let pixels = places.flat_map(|(x, y)| pixel(x, y)).collect();
        let picture = Picture::from_rgb(width, height, pixels).unwrap();
        self.write(name, picture.encode_png(&[]).unwrap());
    }

    /// The program in this folder, without a model.
    pub fn without_model(&self) -> Command {
        self.program(env!("CARGO_BIN_EXE_viscpm-paint"))
    }

    /// The program with the model.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.without_model();
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
        assert_eq!(outcome.line(), out);
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
