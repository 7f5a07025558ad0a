//! Comma-separated values.

use std::{io::Read, path::Path};

use csv::{Error, ErrorKind, Position, Reader, StringRecord};
use serde_json::Value;

use super::{
    super::{DatasetError, Place},
    Context, NumberedExamples, examples,
    input::{behind_line, failure, open_limited},
    limited::{Budget, Limited, MAX_RECORD},
    record,
};

pub(super) fn open(file: &Path, context: Context) -> Result<NumberedExamples, DatasetError> {
    let rows = Rows::new(open_limited(file, MAX_RECORD)?)?;
    let header = rows.header.clone();
    context.columns.choose(&header.iter().collect::<Vec<_>>())?;
    Ok(examples(
        file,
        context.part,
        rows,
        |(line, _)| Place::Line(*line),
        move |(_, row)| record::content(&object(&header, &row?), &context),
    ))
}

fn object(header: &StringRecord, row: &StringRecord) -> Value {
    let cells = header.iter().zip(row);
    let cells = cells.map(|(column, cell)| (column.to_owned(), Value::from(cell)));
    Value::Object(cells.collect())
}

/// The rows behind the header, whole or malformed, with the lines where they begin. Ends where
/// the file cannot be read on.
struct Rows<R> {
    reader: Reader<Limited<R>>,
    /// For each row.
    budget: Budget,
    header: StringRecord,
    /// Where the last row began.
    line: u64,
}

impl<R: Read> Rows<R> {
    fn new(reader: Limited<R>) -> Result<Self, DatasetError> {
        let budget = reader.budget();
        let mut reader = Reader::from_reader(reader);
        let header = reader.headers().map_err(|error| damaged(error, 0))?.clone();
        Ok(Self {
            reader,
            budget,
            header,
            line: 1,
        })
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = Result<(u64, Result<StringRecord, Error>), DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.budget.renew();
        let mut row = StringRecord::new();
        let read = self.reader.read_record(&mut row);
        let place = match &read {
            Ok(_) => row.position(),
            Err(error) => error.position(),
        };
        let line = place.map_or(self.line, Position::line);
        let row = match read {
            Ok(true) => Ok(row),
            Ok(false) => return None,
            Err(error) if is_of_row(&error) => Err(error),
            Err(error) => return Some(Err(damaged(error, self.line))),
        };
        self.line = line;
        Some(Ok((line, row)))
    }
}

/// Whether the next row can be read.
fn is_of_row(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnequalLengths { .. } | ErrorKind::Utf8 { .. }
    )
}

/// Why no more can be read behind a line.
fn damaged(error: Error, line: u64) -> DatasetError {
    let reason = error.to_string();
    let place = || behind_line(line);
    match error.into_kind() {
        ErrorKind::Io(error) => failure(error, place),
        _ => DatasetError::Damaged {
            place: place(),
            reason,
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    /// A few times what the parser reads ahead.
    const LIMIT: u64 = 1 << 16;

    #[test]
    fn a_quote_that_is_not_closed_is_not_read_to_the_end_of_the_file() {
        let rows = |table: &str| -> Vec<_> {
            let rows = Rows::new(Limited::new(table.as_bytes(), LIMIT));
            rows.unwrap().collect()
        };
        let many = "a.png,a dog\n".repeat(20_000);
        let whole = rows(&format!("image,caption\n{many}"));
        assert_eq!(whole.len(), 20_000);
        assert!(whole.iter().all(|row| matches!(row, Ok((_, Ok(_))))));

        let open = rows(&format!("image,caption\na.png,\nb.png,\"a cat\n{many}"));
        assert_eq!(open.len(), 2);
        let error = open[1].as_ref().unwrap_err().to_string();
        assert!(
            error.contains("behind line 2") && error.contains("more than 65536 bytes"),
            "{error}"
        );
    }
}
