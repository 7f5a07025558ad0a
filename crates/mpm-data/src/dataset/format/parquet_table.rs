//! Tables in Parquet files: those of Hugging Face, UniMM-Chat and VisCPM.

use std::path::Path;

use base64::{Engine, prelude::BASE64_STANDARD};
use parquet::record::Field;
use serde_json::{Map, Value};

use super::{
    super::{DatasetError, ExampleText, Flaw, PictureSource, Place},
    Columns, Context, NumberedExamples,
    conversation::{dialogue, utterances},
    examples,
    parquet_rows::{Cells, ParquetRows},
    record,
};

/// What a text in the column of pictures is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum PictureText {
    Path,
    Base64,
}

/// Columns as the configuration calls them.
pub(super) fn hugging_face(
    file: &Path,
    context: Context,
) -> Result<NumberedExamples, DatasetError> {
    open(file, context, PictureText::Path)
}

/// `image` and `conversation`.
pub(super) fn unimm_chat(
    file: &Path,
    mut context: Context,
) -> Result<NumberedExamples, DatasetError> {
    context.columns = Columns {
        conversation: "conversation".into(),
        ..Columns::default()
    };
    open(file, context, PictureText::Base64)
}

/// `BUFFER`, and `TEXT` or `ZH_TEXT` or both, which are captions or conversations.
///
/// Reference: `finetune/dataset/itembuilder.py` of VisCPM.
pub(super) fn viscpm(file: &Path, mut context: Context) -> Result<NumberedExamples, DatasetError> {
    context.columns = Columns {
        picture: "BUFFER".into(),
        caption: "TEXT".into(),
        translations: [("zh".into(), "ZH_TEXT".into())].into(),
        ..Columns::default()
    };
    let mut texts = [("en", "TEXT"), ("zh", "ZH_TEXT")];
    if context.language.as_deref() == Some("zh") {
        texts.reverse();
    }
    context.language = Some("en".into());
    // Of a table with one language, the other is no slip.
    let rows = ParquetRows::open(file, |found| context.columns.choose_any(found))?;
    Ok(examples(
        file,
        context.part,
        rows,
        |(row, _)| Place::Row(*row),
        move |(_, cells)| {
            let (pictures, object) = split(cells, PictureText::Base64, &context)?;
            let conversation = texts.iter().find_map(|(language, column)| {
                let text = object.get(*column).and_then(Value::as_str);
                let text = text.filter(|text| is_conversation(text))?;
                Some((*language, text.to_owned()))
            });
            if let Some((language, text)) = conversation {
                let said = utterances(&text.into())?;
                let said = dialogue(said, pictures.len(), Some(language.to_owned()))?;
                return Ok((pictures, ExampleText::Dialogue(said)));
            }
            let text = record::text(&Value::Object(object), pictures.len(), &context)?;
            Ok((pictures, text))
        },
    ))
}

/// As the reference tells conversations from captions.
fn is_conversation(text: &str) -> bool {
    let text = text.trim();
    let list = text.starts_with("[{") && text.ends_with("}]");
    list && text.contains("human") && text.contains("gpt")
}

fn open(
    file: &Path,
    context: Context,
    texts: PictureText,
) -> Result<NumberedExamples, DatasetError> {
    let rows = ParquetRows::open(file, |found| context.columns.choose(found))?;
    Ok(examples(
        file,
        context.part,
        rows,
        |(row, _)| Place::Row(*row),
        move |(_, cells)| {
            let (pictures, object) = split(cells, texts, &context)?;
            let text = record::text(&Value::Object(object), pictures.len(), &context)?;
            Ok((pictures, text))
        },
    ))
}

/// The pictures of a row, and the rest of it.
fn split(
    cells: Cells,
    texts: PictureText,
    context: &Context,
) -> Result<(Vec<PictureSource>, Map<String, Value>), Flaw> {
    let (mut pictures, mut object) = (Vec::new(), Map::new());
    for (column, cell) in cells {
        if column == context.columns.picture {
            add_pictures(&cell, texts, context, &mut pictures)?;
        } else if !matches!(cell, Field::Null) {
            object.insert(column, json(&cell));
        }
    }
    Ok((pictures, object))
}

fn add_pictures(
    cell: &Field,
    texts: PictureText,
    context: &Context,
    pictures: &mut Vec<PictureSource>,
) -> Result<(), Flaw> {
    match cell {
        Field::ListInternal(cells) => {
            for cell in cells.elements() {
                add_pictures(cell, texts, context, pictures)?;
            }
        }
        Field::Group(row) => {
            let part = |name: &str| {
                let mut parts = row.get_column_iter();
                let part = parts.find(|(part, _)| *part == name).map(|(_, cell)| cell);
                part.filter(|cell| !matches!(cell, Field::Null))
            };
            match (part("bytes"), part("path")) {
                (Some(bytes), _) => add_pictures(bytes, texts, context, pictures)?,
                (None, Some(Field::Str(path))) => pictures.push(context.picture(path)),
                _ => return Err(Flaw::Missing { what: "picture" }),
            }
        }
        Field::Bytes(bytes) => {
            let bytes = bytes.data();
            pictures.push(match texts {
                PictureText::Base64 if image::guess_format(bytes).is_err() => base64(bytes)?,
                _ => PictureSource::Bytes(bytes.into()),
            });
        }
        Field::Str(text) => pictures.push(match texts {
            PictureText::Base64 => base64(text.as_bytes())?,
            PictureText::Path => context.picture(text),
        }),
        Field::Null => {}
        _ => return Err(Flaw::Missing { what: "picture" }),
    }
    Ok(())
}

fn base64(text: &[u8]) -> Result<PictureSource, Flaw> {
    let bytes = BASE64_STANDARD.decode(text.trim_ascii())?;
    Ok(PictureSource::Bytes(bytes.into()))
}

/// Texts, structs and lists of them; nothing else speaks.
fn json(cell: &Field) -> Value {
    match cell {
        Field::Str(text) => text.as_str().into(),
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).into(),
        Field::ListInternal(cells) => cells.elements().iter().map(json).collect(),
        Field::Group(row) => {
            let parts = row.get_column_iter();
            let parts = parts.map(|(name, cell)| (name.clone(), json(cell)));
            Value::Object(parts.collect())
        }
        _ => Value::Null,
    }
}
