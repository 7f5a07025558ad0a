//! M3IT: instructions with pictures in Base64, a JSON object a line.

use std::path::Path;

use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::{
    super::{DatasetError, ExampleText, Flaw, PictureSource, Place},
    Content, Context, NumberedExamples,
    conversation::{dialogue, exchange},
    examples,
    input::Lines,
};

#[derive(Deserialize)]
struct Line {
    instruction: String,
    #[serde(default)]
    inputs: String,
    outputs: String,
    #[serde(default)]
    image_base64_str: Pictures,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Pictures {
    One(String),
    Many(Vec<String>),
}

impl Default for Pictures {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

pub(super) fn open(file: &Path, context: Context) -> Result<NumberedExamples, DatasetError> {
    Ok(examples(
        file,
        context.part,
        Lines::open(file)?,
        |(number, _)| Place::Line(*number),
        move |(_, line)| content(&line, &context),
    ))
}

fn content(line: &[u8], context: &Context) -> Result<Content, Flaw> {
    let line: Line = serde_json::from_slice(line)?;
    let encoded = match line.image_base64_str {
        Pictures::One(picture) => vec![picture],
        Pictures::Many(pictures) => pictures,
    };
    let pictures: Result<Vec<_>, Flaw> = encoded
        .iter()
        .map(|picture| {
            let bytes = BASE64_STANDARD.decode(picture.trim())?;
            Ok(PictureSource::Bytes(bytes.into()))
        })
        .collect();
    let parts = [line.instruction.trim(), line.inputs.trim()];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let (pictures, said) = (pictures?, exchange(&parts.join("\n"), &line.outputs));
    let dialogue = dialogue(said, pictures.len(), context.language.clone())?;
    Ok((pictures, ExampleText::Dialogue(dialogue)))
}
