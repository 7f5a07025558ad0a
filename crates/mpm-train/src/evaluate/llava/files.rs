//! The files of the test, a line of JSON for each entry.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::LlavaError;

/// A line of the questions (`qa90_questions.jsonl`). Fields that are not listed are ignored, here
/// and in the other files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Names the question in the files of answers.
    pub question_id: u64,
    /// Name of the picture's file, which names its context, too.
    pub image: String,
    /// The question.
    pub text: String,
    /// `conv`, `detail`, `complex`, or another one.
    pub category: String,
}

/// What is in a picture, for a judge that cannot see it (`caps_boxes_coco2014_val_80.jsonl`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Context {
    /// Name of the picture's file.
    pub image: String,
    /// People's descriptions. LLaVA's test in the wild has one, under the name `caption`.
    #[serde(default, alias = "caption", deserialize_with = "one_or_many")]
    pub captions: Vec<String>,
    /// The things in the picture, if they are known.
    #[serde(default)]
    pub instances: Vec<Instance>,
}

/// A thing in a picture.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Instance {
    /// What it is.
    pub category: String,
    /// Left, top, right and bottom, each `0.0..=1.0` of the picture.
    pub bbox: [f64; 4],
}

/// A line of the reference's answers (`qa90_gpt4_answer.jsonl`) or of a model's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The question it answers.
    pub question_id: u64,
    /// The answer.
    pub text: String,
}

/// A caption, or a list of them.
fn one_or_many<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(value)? {
        OneOrMany::One(one) => vec![one],
        OneOrMany::Many(many) => many,
    })
}

/// Reads a file of JSON lines; empty ones are skipped.
///
/// # Errors
/// [`LlavaError::Read`], [`LlavaError::Line`].
pub fn read_lines<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>, LlavaError> {
    let failed = |source| LlavaError::Read {
        file: file.to_owned(),
        source,
    };
    let reader = BufReader::new(File::open(file).map_err(failed)?);
    let mut entries = Vec::new();
    for (line, text) in (1..).zip(reader.lines()) {
        let text = text.map_err(failed)?;
        if text.trim().is_empty() {
            continue;
        }
        entries.push(
            serde_json::from_str(&text).map_err(|source| LlavaError::Line {
                file: file.to_owned(),
                line,
                source,
            })?,
        );
    }
    Ok(entries)
}
