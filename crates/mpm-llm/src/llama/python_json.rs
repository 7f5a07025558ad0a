//! JSON as Python's `json.dumps` writes it.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// The widest indentation.
const MAX_INDENT: usize = 16;

/// Writes a value in one line, or over lines that are indented.
pub(super) fn write(value: &impl Serialize, indent: Option<usize>) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    match indent {
        None => value.serialize(&mut Serializer::with_formatter(&mut bytes, OneLine))?,
        Some(width) => {
            let spaces = [b' '; MAX_INDENT];
            let formatter = PrettyFormatter::with_indent(&spaces[..width.min(MAX_INDENT)]);
            value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter))?;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// With a space after commas and colons.
struct OneLine;

impl Formatter for OneLine {
    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        writer.write_all(if first { b"" } else { b", " })
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b": ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn spaces_are_where_python_has_them() {
        let value = json!({"a": [1, "é<"], "b": {}});
        let line = write(&value, None).expect("is JSON");
        assert_eq!(line, r#"{"a": [1, "é<"], "b": {}}"#);
        let lines = write(&value, Some(2)).expect("is JSON");
        assert!(lines.starts_with("{\n  \"a\": [\n    1,"), "{lines}");
    }
}
