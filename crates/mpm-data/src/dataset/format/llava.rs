//! LLaVA-150K: a JSON list of conversations about COCO's pictures.

use std::path::Path;

use super::{
    super::{DatasetError, Place},
    Context, Examples, examples, input,
    json_list::JsonList,
    record,
};

pub(super) fn open(file: &Path, context: Context) -> Result<Examples, DatasetError> {
    let elements = JsonList::new(input::open(file)?)?;
    Ok(examples(
        file,
        elements,
        |(row, _)| Place::Row(*row),
        move |(_, value)| record::content(&value, &context),
    ))
}
