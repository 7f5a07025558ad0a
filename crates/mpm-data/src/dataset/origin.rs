//! Where an example stands.

use std::{fmt, path::Path, sync::Arc};

/// A place in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub file: Arc<Path>,
    /// The place in it.
    pub place: Place,
}

/// A place in a file of examples.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A line, counted from 1
    Line(u64),
    /// An element of a list or a row of a table, counted from 0
    Row(u64),
    /// An entry of an archive
    Entry(Arc<str>),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, ", self.file.display())?;
        match &self.place {
            Place::Line(line) => write!(f, "line {line}"),
            Place::Row(row) => write!(f, "row {row}"),
            Place::Entry(name) => write!(f, "entry {name}"),
        }
    }
}
