//! A JSON object a line.

use std::path::Path;

use super::{
    super::{DatasetError, Place},
    Context, NumberedExamples, examples,
    input::Lines,
    record,
};

pub(super) fn open(file: &Path, context: Context) -> Result<NumberedExamples, DatasetError> {
    Ok(examples(
        file,
        context.part,
        Lines::open(file)?,
        |(number, _)| Place::Line(*number),
        move |(_, line)| record::content(&serde_json::from_slice(&line)?, &context),
    ))
}
