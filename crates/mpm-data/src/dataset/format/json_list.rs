//! The elements of a JSON list of any length, one at a time.

use std::io::Read;

use serde_json::Value;
use struson::reader::{JsonReader, JsonStreamReader, ReaderSettings};

use super::{
    super::DatasetError,
    limited::{Budget, Limited},
};

type Reason = Box<dyn std::error::Error>;

/// Reads a list; ends behind its last element, or at the first damage.
pub(super) struct JsonList<R: Read> {
    reader: JsonStreamReader<Limited<R>>,
    /// For each element.
    budget: Budget,
    next: u64,
    done: bool,
}

impl<R: Read> JsonList<R> {
    /// A file that is a list.
    pub fn new(reader: Limited<R>) -> Result<Self, DatasetError> {
        let budget = reader.budget();
        Self::begin(stream(reader), budget).map_err(|reason| damaged("at its head".into(), reason))
    }

    /// Goes on to the list that the key of an object leads to.
    pub fn at_key(reader: Limited<R>, key: &str) -> Result<Self, DatasetError> {
        let budget = reader.budget();
        let mut reader = stream(reader);
        find(&mut reader, key, &budget)
            .and_then(|()| Self::begin(reader, budget))
            .map_err(|reason| damaged(format!("before `{key}`"), reason))
    }

    fn begin(mut reader: JsonStreamReader<Limited<R>>, budget: Budget) -> Result<Self, Reason> {
        reader.begin_array()?;
        Ok(Self {
            reader,
            budget,
            next: 0,
            done: false,
        })
    }

    fn element(&mut self) -> Result<Option<Value>, Reason> {
        self.budget.renew();
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

/// Errors tell their line and column. Their path would make the reader keep the names that it
/// passes over, of any length.
fn stream<R: Read>(reader: R) -> JsonStreamReader<R> {
    let settings = ReaderSettings {
        track_path: false,
        ..ReaderSettings::default()
    };
    JsonStreamReader::new_custom(reader, settings)
}

fn find(reader: &mut impl JsonReader, key: &str, budget: &Budget) -> Result<(), Reason> {
    reader.begin_object()?;
    while reader.has_next()? {
        if reader.next_name()? == key {
            return Ok(());
        }
        // The value may be a list of any length; nothing of it is kept.
        budget.lift();
        reader.skip_value()?;
        budget.renew();
    }
    Err("there is no such key".into())
}

fn damaged(place: String, reason: Reason) -> DatasetError {
    DatasetError::Damaged {
        place,
        reason: reason.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use super::*;

    /// A few times what the parser reads ahead.
    const LIMIT: u64 = 4096;

    fn limited(text: &str) -> Limited<&[u8]> {
        Limited::new(text.as_bytes(), LIMIT)
    }

    #[test]
    fn an_element_without_end_is_not_read_to_the_end_of_the_file() {
        let many = format!("[{}\"dog\"]", "\"dog\",".repeat(4999));
        let elements = JsonList::new(limited(&many)).unwrap();
        assert_eq!(elements.filter(Result::is_ok).count(), 5000);

        let text = "dog ".repeat(5000);
        for long in [format!("\"{text}\""), format!("[{}1]", "1,".repeat(9999))] {
            let list = format!("[1, {long}, 2]");
            let elements: Vec<_> = JsonList::new(limited(&list)).unwrap().collect();
            assert_eq!(elements.len(), 2);
            let error = elements[1].as_ref().unwrap_err().to_string();
            assert!(
                error.contains("at element 1") && error.contains("more than 4096 bytes"),
                "{error}"
            );
        }
    }

    #[test]
    fn values_before_a_key_may_be_long_but_names_may_not() {
        let long = "dog ".repeat(5000);
        let object = format!(r#"{{"a": "{long}", "b": {{"{long}": [0]}}, "c": [7]}}"#);
        let elements: Vec<_> = JsonList::at_key(limited(&object), "c").unwrap().collect();
        assert_eq!(*elements[0].as_ref().unwrap(), (0, Value::from(7)));
        let object = format!(r#"{{"{long}": 1, "c": [7]}}"#);
        let error = JsonList::at_key(limited(&object), "c").err().unwrap();
        let error = error.to_string();
        assert!(
            error.contains("before `c`") && error.contains("more than 4096 bytes"),
            "{error}"
        );
    }
}
