//! The rows of a Parquet file, one at a time.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use parquet::{
    errors::ParquetError,
    file::reader::{FileReader, SerializedFileReader},
    record::{
        Field, Row,
        reader::{ReaderIter, TreeBuilder},
    },
    schema::types::{SchemaDescPtr, SchemaDescriptor, Type},
};

use super::super::DatasetError;

/// Rows whose values are held at the same time, beside the page that they come from.
const BATCH: usize = 4;

/// Longest part of a decoder's message that is passed on: it may quote all of a value.
const MAX_REASON: usize = 300;

/// Columns with their values.
pub(super) type Cells = Vec<(String, Field)>;

/// Reads some of the columns; ends behind the last row, or at the first damage.
pub(super) struct ParquetRows {
    file: SerializedFileReader<File>,
    columns: SchemaDescPtr,
    /// Row groups that were begun.
    groups: usize,
    rows: Option<ReaderIter>,
    next: u64,
    failed: bool,
}

impl ParquetRows {
    /// Opens a file. `choose` takes the columns that it wants from the names of all.
    pub fn open(
        path: &Path,
        choose: impl FnOnce(&[&str]) -> Result<Vec<String>, DatasetError>,
    ) -> Result<Self, DatasetError> {
        let file = File::open(path)?;
        let place = || "in its footer".to_owned();
        let file = guarded(|| SerializedFileReader::new(file), place)?;
        let schema = file.metadata().file_metadata().schema();
        let names: Vec<_> = schema
            .get_fields()
            .iter()
            .map(|field| field.name())
            .collect();
        let wanted = choose(&names)?;
        let fields = schema.get_fields().iter();
        let fields = fields.filter(|field| wanted.iter().any(|name| name == field.name()));
        let root = Type::group_type_builder(schema.name()).with_fields(fields.cloned().collect());
        let root = guarded(|| root.build(), place)?;
        Ok(Self {
            file,
            columns: Arc::new(SchemaDescriptor::new(Arc::new(root))),
            groups: 0,
            rows: None,
            next: 0,
            failed: false,
        })
    }

    fn read(&mut self) -> Result<Option<Row>, ParquetError> {
        loop {
            if let Some(row) = self.rows.as_mut().and_then(Iterator::next) {
                return row.map(Some);
            }
            if self.groups == self.file.num_row_groups() {
                return Ok(None);
            }
            let group = self.file.get_row_group(self.groups)?;
            self.groups += 1;
            let tree = TreeBuilder::new().with_batch_size(BATCH);
            self.rows = Some(tree.as_iter(self.columns.clone(), &*group)?);
        }
    }
}

/// The rows with their numbers.
impl Iterator for ParquetRows {
    type Item = Result<(u64, Cells), DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let number = self.next;
        self.next += 1;
        match guarded(|| self.read(), || format!("at row {number}")) {
            Ok(row) => row.map(|row| Ok((number, row.into_columns()))),
            Err(error) => {
                self.failed = true;
                Some(Err(error))
            }
        }
    }
}

/// Decoding a damaged file may panic; that must not end a training run.
fn guarded<T>(
    read: impl FnOnce() -> Result<T, ParquetError>,
    place: impl FnOnce() -> String,
) -> Result<T, DatasetError> {
    // Nothing is read any more after a failure, so no half-changed state is seen.
    let reason = match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => error.to_string().chars().take(MAX_REASON).collect(),
        Err(_) => "its decoder panicked".to_owned(),
    };
    let place = place();
    Err(DatasetError::Damaged { place, reason })
}
