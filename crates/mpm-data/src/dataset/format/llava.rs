//! LLaVA-150K: a JSON list of conversations about COCO's pictures.

use std::path::Path;

use super::{
    super::{DatasetError, Place},
    Context, NumberedExamples, examples, input,
    json_list::JsonList,
    limited::MAX_RECORD,
    record,
};

pub(super) fn open(file: &Path, context: Context) -> Result<NumberedExamples, DatasetError> {
    let elements = JsonList::new(input::open_limited(file, MAX_RECORD)?)?;
    Ok(examples(
        file,
        context.part,
        elements,
        |(row, _)| Place::Row(*row),
        move |(_, value)| record::content(&value, &context),
    ))
}
