//! The elements of a JSON list of any length, one at a time.

use std::io::Read;

use serde_json::Value;
use struson::reader::{JsonReader, JsonStreamReader};

use super::super::DatasetError;

/// Reads a list; ends behind its last element, or at the first damage.
pub(super) struct JsonList<R: Read> {
    reader: JsonStreamReader<R>,
    next: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Within,
    Done,
}

impl<R: Read> JsonList<R> {
    pub fn new(reader: R) -> Self {
        Self {
            reader: JsonStreamReader::new(reader),
            next: 0,
            state: State::Before,
        }
    }

    /// Goes on to the list that the key of an object leads to.
    pub fn at_key(reader: R, key: &str) -> Result<Self, DatasetError> {
        let mut list = Self::new(reader);
        list.find(key)
            .map_err(|reason| damaged(format!("before `{key}`"), reason))?;
        Ok(list)
    }

    fn find(&mut self, key: &str) -> Result<(), Box<dyn std::error::Error>> {
        self.reader.begin_object()?;
        while self.reader.has_next()? {
            if self.reader.next_name()? == key {
                return Ok(());
            }
            self.reader.skip_value()?;
        }
        Err("there is no such key".into())
    }

    fn element(&mut self) -> Result<Option<Value>, Box<dyn std::error::Error>> {
        if self.state == State::Before {
            self.reader.begin_array()?;
            self.state = State::Within;
        }
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
        if self.state == State::Done {
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
                self.state = State::Done;
                None
            }
            Err(error) => {
                self.state = State::Done;
                Some(Err(error))
            }
        }
    }
}

fn damaged(place: String, reason: Box<dyn std::error::Error>) -> DatasetError {
    DatasetError::Damaged {
        place,
        reason: reason.to_string(),
    }
}
