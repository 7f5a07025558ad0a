//! A folder, and the program in it.
#![allow(dead_code, reason = "not every test uses every helper")]

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    process::Command,
};

pub use mpm_test_support::program::Outcome;
use mpm_test_support::program::{TestFolder, run};
use serde_json::Value;

/// A folder for the files of a test.
pub struct Sandbox(TestFolder);

impl Deref for Sandbox {
    type Target = TestFolder;

    fn deref(&self) -> &TestFolder {
        &self.0
    }
}

impl Sandbox {
    pub fn new() -> Self {
        Self(TestFolder::new())
    }

    /// A file of JSON lines.
    pub fn lines(&self, name: &str, objects: &[Value]) -> PathBuf {
        let lines: Vec<String> = objects.iter().map(|object| format!("{object}\n")).collect();
        self.write(name, lines.concat())
    }

    pub fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// The program in this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_viscpm-evaluate"));
        command.args(arguments);
        command
    }

    /// Runs it.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        run(&mut self.command(arguments))
    }
}

/// The workspace.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// A file or folder of the workspace.
pub fn of_root(name: &str) -> String {
    root().join(name).to_str().unwrap().to_owned()
}
