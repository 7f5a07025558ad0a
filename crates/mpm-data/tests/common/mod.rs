//! Small data sets.
#![allow(dead_code, reason = "each test file takes what it needs")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use mpm_data::{
    dataset::{Columns, DatasetConfig, DatasetFormat, Example, ExampleText},
    picture::Picture,
};
use serde_json::json;

pub fn config(format: DatasetFormat, files: &[PathBuf]) -> DatasetConfig {
    DatasetConfig {
        format,
        files: files.to_vec(),
        pictures: None,
        language: Some("en".into()),
        columns: Columns::default(),
    }
}

pub fn picture() -> Vec<u8> {
    let picture = Picture::from_rgb(2, 1, vec![10, 20, 30, 40, 50, 60]).unwrap();
    picture.encode_png(&[]).unwrap()
}

/// Languages and texts of captions, or questions and answers.
pub fn texts(example: &Example) -> Vec<[&str; 2]> {
    match &example.text {
        ExampleText::Captions(captions) => captions
            .iter()
            .map(|caption| [caption.language.as_deref().unwrap_or("?"), &caption.text])
            .collect(),
        ExampleText::Dialogue(dialogue) => dialogue
            .turns
            .iter()
            .map(|turn| [turn.question.as_str(), &turn.answer])
            .collect(),
    }
}

pub fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path
}

/// An archive of files.
pub fn tar(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive
            .append_data(&mut header, name, content.as_slice())
            .unwrap();
    }
    archive.into_inner().unwrap()
}

/// A data set of files of numbered captions.
pub fn numbered(folder: &Path, sizes: &[usize]) -> DatasetConfig {
    let mut number = 0;
    let files = sizes.iter().enumerate().map(|(file, &size)| {
        let lines: Vec<_> = (0..size)
            .map(|_| {
                number += 1;
                json!({ "image": "x.png", "caption": number.to_string() }).to_string()
            })
            .collect();
        write(folder, &format!("{file}.jsonl"), lines.join("\n"))
    });
    config(DatasetFormat::JsonLines, &files.collect::<Vec<_>>())
}
