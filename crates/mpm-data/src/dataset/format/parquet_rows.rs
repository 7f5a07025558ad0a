//! The rows of a Parquet file, one at a time.

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Arc,
};

use parquet::{
    basic::{LogicalType, Type as PhysicalType},
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
    /// Opens a file. `choose` takes the columns that it wants from the names of all that hold
    /// bytes or texts.
    pub fn open(
        path: &Path,
        choose: impl FnOnce(&[&str]) -> Result<Vec<String>, DatasetError>,
    ) -> Result<Self, DatasetError> {
        let file = File::open(path)?;
        let place = || "in its footer".to_owned();
        let file = guarded(|| SerializedFileReader::new(file), place)?;
        let schema = file.metadata().file_metadata().schema();
        let fields = schema.get_fields().iter();
        let names = fields.clone().filter(|field| holds_bytes(field));
        let names: Vec<_> = names.map(|field| field.name()).collect();
        let wanted = choose(&names).map_err(|error| match error {
            DatasetError::Column { wanted: column, .. }
                if fields.clone().any(|field| field.name() == column) =>
            {
                DatasetError::ColumnType { column }
            }
            other => other,
        })?;
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

/// Whether bytes or texts are somewhere in a column, or, where all cells are null, could be.
fn holds_bytes(field: &Type) -> bool {
    if field.is_group() {
        return field.get_fields().iter().any(|part| holds_bytes(part));
    }
    let is_null = field.get_basic_info().logical_type_ref() == Some(&LogicalType::Unknown);
    let physical = field.get_physical_type();
    is_null
        || physical == PhysicalType::BYTE_ARRAY
        || physical == PhysicalType::FIXED_LEN_BYTE_ARRAY
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
