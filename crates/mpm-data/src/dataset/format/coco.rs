//! COCO's captions: pictures and captions in two lists that meet by numbers.

use std::{collections::HashMap, path::Path};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{
    super::{Caption, DatasetError, ExampleText, Flaw, Place},
    Content, Context, NumberedExamples, examples, input,
    json_list::JsonList,
    limited::MAX_RECORD,
};

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    caption: String,
}

/// Keeps the names of all pictures: a few megabytes for COCO.
pub(super) fn open(file: &Path, context: Context) -> Result<NumberedExamples, DatasetError> {
    let mut names = HashMap::new();
    let open = || input::open_limited(file, MAX_RECORD);
    for image in JsonList::at_key(open()?, "images")? {
        let (row, value) = image?;
        let image: Image = element(value).map_err(|error| DatasetError::Damaged {
            place: format!("at image {row}"),
            reason: error.to_string(),
        })?;
        names.insert(image.id, image.file_name);
    }
    let annotations = JsonList::at_key(open()?, "annotations")?;
    Ok(examples(
        file,
        context.part,
        annotations,
        |(row, _)| Place::Row(*row),
        move |(_, value)| content(value, &names, &context),
    ))
}

fn element<T: DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(value)
}

fn content(value: Value, names: &HashMap<u64, String>, context: &Context) -> Result<Content, Flaw> {
    let annotation: Annotation = element(value)?;
    let name = names.get(&annotation.image_id);
    let name = name.ok_or(Flaw::Missing { what: "picture" })?;
    let text = annotation.caption.trim().to_owned();
    if text.is_empty() {
        return Err(Flaw::Missing { what: "text" });
    }
    let caption = Caption {
        language: context.language.clone(),
        text,
    };
    Ok((
        vec![context.picture(name)],
        ExampleText::Captions(vec![caption]),
    ))
}
