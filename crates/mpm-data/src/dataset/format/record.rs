//! Examples as rows of a table, or as objects.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::{Caption, DatasetError, ExampleText, Flaw},
    Content, Context,
    conversation::{dialogue, exchange, utterances},
};

/// What the columns of a table, or the keys of objects, are called.
///
/// An example has a conversation, or a question with its answer, or captions: the first of them
/// that is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Columns {
    /// Names of pictures, one or a list; none, null or an empty text for text alone.
    pub picture: String,
    /// A conversation, as LLaVA writes it.
    pub conversation: String,
    /// A question, for the column `answer`.
    pub question: String,
    /// Its answer.
    pub answer: String,
    /// A caption, in the data set's language. A table has to have the column if it is called
    /// otherwise than by default.
    pub caption: String,
    /// Captions in further languages: from ISO 639-1 to the column. A table has to have all.
    pub translations: BTreeMap<String, String>,
}

impl Default for Columns {
    /// `image`, `conversations`, `question`, `answer`, `caption`, no translations.
    fn default() -> Self {
        Self {
            picture: "image".into(),
            conversation: "conversations".into(),
            question: "question".into(),
            answer: "answer".into(),
            caption: "caption".into(),
            translations: BTreeMap::new(),
        }
    }
}

impl Columns {
    /// As [`choose_any`](Self::choose_any), with all captions that the configuration names.
    pub(super) fn choose(&self, found: &[&str]) -> Result<Vec<String>, DatasetError> {
        let columns = self.choose_any(found)?;
        // The default's name may be that of a column that no row needs.
        let own = Some(&self.caption).filter(|own| **own != Self::default().caption);
        for caption in own.into_iter().chain(self.translations.values()) {
            require(caption, found)?;
        }
        Ok(columns)
    }

    /// Those of the columns that a table has: the one of pictures, and one of text at least. A
    /// question is one together with its answer.
    pub(super) fn choose_any(&self, found: &[&str]) -> Result<Vec<String>, DatasetError> {
        require(&self.picture, found)?;
        let is_there = |column: &String| found.contains(&column.as_str());
        if is_there(&self.question) && !is_there(&self.conversation) {
            require(&self.answer, found)?;
        }
        let question = Some(&self.question).filter(|_| is_there(&self.answer));
        let texts = [&self.conversation, &self.caption].into_iter();
        let texts = texts.chain(question).chain(self.translations.values());
        let mut texts: Vec<_> = texts.filter(|text| is_there(text)).cloned().collect();
        if texts.is_empty() {
            return Err(DatasetError::no_column(&self.caption, found));
        }
        texts.extend([self.answer.clone(), self.picture.clone()]);
        Ok(texts)
    }
}

fn require(column: &str, found: &[&str]) -> Result<(), DatasetError> {
    match found.contains(&column) {
        true => Ok(()),
        false => Err(DatasetError::no_column(column, found)),
    }
}

/// Makes an example of an object whose pictures are files.
pub(super) fn content(value: &Value, context: &Context) -> Result<Content, Flaw> {
    let names = names(value.get(&context.columns.picture))?;
    let pictures: Vec<_> = names.iter().map(|name| context.picture(name)).collect();
    let text = text(value, pictures.len(), context)?;
    Ok((pictures, text))
}

/// The names of an example's pictures, which may have none.
fn names(cell: Option<&Value>) -> Result<Vec<&str>, Flaw> {
    match cell {
        None | Some(Value::Null) => Ok(Vec::new()),
        // A table has a cell also where a row has no picture.
        Some(Value::String(name)) if name.is_empty() => Ok(Vec::new()),
        Some(Value::Array(cells)) => cells.iter().map(name).collect(),
        Some(cell) => Ok(vec![name(cell)?]),
    }
}

fn name(cell: &Value) -> Result<&str, Flaw> {
    let found = match cell {
        Value::String(name) if !name.is_empty() => return Ok(name),
        Value::String(_) => "an empty text",
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Err(Flaw::PictureName { found })
}

/// The text of an object.
pub(super) fn text(value: &Value, pictures: usize, context: &Context) -> Result<ExampleText, Flaw> {
    let columns = &context.columns;
    let said = |column: &str| {
        let text = value.get(column).and_then(Value::as_str).map(str::trim);
        text.filter(|text| !text.is_empty())
    };
    let conversation = value.get(&columns.conversation);
    // A table has a cell also where a row has no conversation.
    let conversation = conversation.filter(|cell| cell.as_str() != Some("") && !cell.is_null());
    if let Some(conversation) = conversation {
        let dialogue = dialogue(
            utterances(conversation)?,
            pictures,
            context.language.clone(),
        )?;
        return Ok(ExampleText::Dialogue(dialogue));
    }
    if let Some(question) = said(&columns.question) {
        let answer = said(&columns.answer).ok_or(Flaw::Missing { what: "answer" })?;
        let said = exchange(question, answer);
        let dialogue = dialogue(said, pictures, context.language.clone())?;
        return Ok(ExampleText::Dialogue(dialogue));
    }
    let caption = |language, column: &str| {
        said(column).map(|text| Caption {
            language,
            text: text.to_owned(),
        })
    };
    let own = caption(context.language.clone(), &columns.caption);
    let translated = columns.translations.iter();
    let translated = translated.filter_map(|(code, column)| caption(Some(code.clone()), column));
    let captions: Vec<_> = own.into_iter().chain(translated).collect();
    match captions.is_empty() {
        false => Ok(ExampleText::Captions(captions)),
        true => Err(Flaw::Missing { what: "text" }),
    }
}
