//! Comma-separated values.

use std::path::Path;

use serde_json::{Map, Value};

use super::{
    super::{DatasetError, Place},
    Context, Examples, examples, input, record,
};

pub(super) fn open(file: &Path, context: Context) -> Result<Examples, DatasetError> {
    let mut reader = csv::Reader::from_reader(input::open(file)?);
    let damaged = |error: csv::Error| DatasetError::Damaged {
        place: match error.position() {
            Some(position) => format!("at line {}", position.line()),
            None => "at its head".to_owned(),
        },
        reason: error.to_string(),
    };
    let header = reader.headers().map_err(damaged)?.clone();
    context.columns.choose(&header.iter().collect::<Vec<_>>())?;
    let rows = reader.into_records().map(move |row| {
        let row = row.map_err(damaged)?;
        let line = row.position().map_or(0, csv::Position::line);
        let cells = header.iter().zip(&row);
        let cells = cells.map(|(column, cell)| (column.to_owned(), Value::from(cell)));
        Ok((line, Value::Object(cells.collect::<Map<_, _>>())))
    });
    Ok(examples(
        file,
        rows,
        |(line, _)| Place::Line(*line),
        move |(_, value)| record::content(&value, &context),
    ))
}
