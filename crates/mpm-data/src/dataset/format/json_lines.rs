//! A JSON object a line.

use std::path::Path;

use super::{
    super::{DatasetError, Place},
    Context, Examples, examples,
    input::Lines,
    record,
};

pub(super) fn open(file: &Path, context: Context) -> Result<Examples, DatasetError> {
    let lines = Lines::open(file)?.map(|line| Ok(line?));
    Ok(examples(
        file,
        lines,
        |(number, _)| Place::Line(*number),
        move |(_, line)| record::content(&serde_json::from_slice(&line)?, &context),
    ))
}
