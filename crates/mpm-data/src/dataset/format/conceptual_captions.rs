//! Conceptual Captions: captions and addresses, and pictures that were downloaded before.

use std::path::{Path, PathBuf};

use super::{
    super::{Caption, DatasetError, ExampleText, Flaw, PictureSource, Place},
    Content, Context, NumberedExamples, examples,
    input::Lines,
};

/// Lines whose pictures img2dataset puts into one folder.
const LINES_PER_FOLDER: u64 = 10_000;

pub(super) fn open(file: &Path, context: Context) -> Result<NumberedExamples, DatasetError> {
    Ok(examples(
        file,
        context.part,
        Lines::open(file)?,
        |(number, _)| Place::Line(*number),
        move |(number, line)| content(number - 1, &line, &context),
    ))
}

fn content(row: u64, line: &[u8], context: &Context) -> Result<Content, Flaw> {
    let line = String::from_utf8_lossy(line);
    let (text, _) = line
        .split_once('\t')
        .ok_or(Flaw::Missing { what: "address" })?;
    let text = text.trim();
    if text.is_empty() {
        return Err(Flaw::Missing { what: "text" });
    }
    // Many addresses are dead: a picture that was not downloaded is no exception.
    let picture = find(row, &context.folder).ok_or(Flaw::Missing { what: "picture" })?;
    let caption = Caption {
        language: context.language.clone(),
        text: text.to_owned(),
    };
    Ok((
        vec![PictureSource::File(picture)],
        ExampleText::Captions(vec![caption]),
    ))
}

fn find(row: u64, folder: &Path) -> Option<PathBuf> {
    let name = format!("{row:09}.jpg");
    let nested = format!("{:05}", row / LINES_PER_FOLDER);
    let places = [folder.join(&name), folder.join(nested).join(&name)];
    places.into_iter().find(|path| path.is_file())
}
