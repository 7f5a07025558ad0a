//! The elements of a JSON list of any length, one at a time.

use std::io::Read;

use serde_json::Value;
use struson::reader::{JsonReader, JsonStreamReader};

use super::super::DatasetError;

type Reason = Box<dyn std::error::Error>;

/// Reads a list; ends behind its last element, or at the first damage.
pub(super) struct JsonList<R: Read> {
    reader: JsonStreamReader<R>,
    next: u64,
    done: bool,
}

impl<R: Read> JsonList<R> {
    /// A file that is a list.
    pub fn new(reader: R) -> Result<Self, DatasetError> {
        let reader = JsonStreamReader::new(reader);
        Self::begin(reader).map_err(|reason| damaged("at its head".into(), reason))
    }

    /// Goes on to the list that the key of an object leads to.
    pub fn at_key(reader: R, key: &str) -> Result<Self, DatasetError> {
        let mut reader = JsonStreamReader::new(reader);
        find(&mut reader, key)
            .and_then(|()| Self::begin(reader))
            .map_err(|reason| damaged(format!("before `{key}`"), reason))
    }

    fn begin(mut reader: JsonStreamReader<R>) -> Result<Self, Reason> {
        reader.begin_array()?;
        Ok(Self {
            reader,
            next: 0,
            done: false,
        })
    }

    fn element(&mut self) -> Result<Option<Value>, Reason> {
        match self.reader.has_next()? {
            true => Ok(Some(self.reader.deserialize_next()?)),
            false => Ok(None),
        }
    }
}

/// The elements with their numbers.
impl<R: Read> Iterator for JsonList<R> {
    type Item = Result<(u64, Value), DatasetError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let number = self.next;
        self.next += 1;
        let element = self
            .element()
            .map_err(|reason| damaged(format!("at element {number}"), reason));
        match element {
            Ok(Some(value)) => Some(Ok((number, value))),
            Ok(None) => {
                self.done = true;
                None
            }
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }
}

fn find(reader: &mut impl JsonReader, key: &str) -> Result<(), Reason> {
    reader.begin_object()?;
    while reader.has_next()? {
        if reader.next_name()? == key {
            return Ok(());
        }
        reader.skip_value()?;
    }
    Err("there is no such key".into())
}

fn damaged(place: String, reason: Reason) -> DatasetError {
    DatasetError::Damaged {
        place,
        reason: reason.to_string(),
    }
}
