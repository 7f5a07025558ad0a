//! JSON as Python's `json.dumps` writes it.

use std::{
    collections::BTreeMap,
    io::{self, Write},
};

use serde::Serialize;
use serde_json::{
    Value,
    ser::{Formatter, Serializer},
};

/// The widest indentation.
const MAX_INDENT: usize = 16;

/// The options of `json.dumps`.
#[derive(Debug, Default)]
pub(super) struct Options {
    /// How many spaces a level is indented by; `None` for one line.
    pub indent: Option<usize>,
    /// What stands between items, and between a key and its value; `None` for commas and colons
    /// with a space behind them, where the line does not end.
    pub separators: Option<[String; 2]>,
    /// Whether the keys of maps are sorted.
    pub sort_keys: bool,
    /// Whether letters beyond ASCII are escaped.
    pub ensure_ascii: bool,
}

/// Writes a value.
pub(super) fn write(value: &impl Serialize, options: &Options) -> serde_json::Result<String> {
    let mut bytes = Vec::new();
    let layout = Layout::new(options);
    let mut serializer = Serializer::with_formatter(&mut bytes, layout);
    match options.sort_keys {
        true => sorted(serde_json::to_value(value)?).serialize(&mut serializer)?,
        false => value.serialize(&mut serializer)?,
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The same value with its keys in order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        Value::Object(map) => {
            let entries = map.into_iter().map(|(key, value)| (key, sorted(value)));
            let entries: BTreeMap<String, Value> = entries.collect();
            Value::Object(entries.into_iter().collect())
        }
        other => other,
    }
}

/// Where spaces and ends of lines are.
struct Layout<'a> {
    indent: Option<usize>,
    item_separator: &'a str,
    key_separator: &'a str,
    ensure_ascii: bool,
    depth: usize,
    /// Whether the list or map that ends now has anything in it.
    has_items: bool,
}

impl<'a> Layout<'a> {
    fn new(options: &'a Options) -> Self {
        let (item_separator, key_separator) = match (&options.separators, options.indent) {
            (Some([item, key]), _) => (item.as_str(), key.as_str()),
            (None, Some(_)) => (",", ": "),
            (None, None) => (", ", ": "),
        };
        Self {
            indent: options.indent.map(|width| width.min(MAX_INDENT)),
            item_separator,
            key_separator,
            ensure_ascii: options.ensure_ascii,
            depth: 0,
            has_items: false,
        }
    }

    fn begin<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        self.has_items = false;
        writer.write_all(bracket)
    }

    fn item<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(self.item_separator.as_bytes())?;
        }
        self.new_line(writer)
    }

    fn end<W: ?Sized + Write>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.has_items {
            self.new_line(writer)?;
        }
        self.has_items = true;
        writer.write_all(bracket)
    }

    fn new_line<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        match self.indent {
            Some(width) => {
                let spaces = " ".repeat(width * self.depth);
                write!(writer, "\n{spaces}")
            }
            None => Ok(()),
        }
    }
}

impl Formatter for Layout<'_> {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"[")
    }

    fn begin_array_value<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.item(writer, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.has_items = true;
        Ok(())
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"]")
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.begin(writer, b"{")
    }

    fn begin_object_key<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.item(writer, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(self.key_separator.as_bytes())
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _writer: &mut W) -> io::Result<()> {
        self.has_items = true;
        Ok(())
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.end(writer, b"}")
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if !self.ensure_ascii {
            return writer.write_all(fragment.as_bytes());
        }
        for letter in fragment.chars() {
            match letter.is_ascii() && letter != '\u{7f}' {
                true => write!(writer, "{letter}")?,
                false => {
                    for unit in letter.encode_utf16(&mut [0; 2]) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn written(value: Value, options: &Options) -> String {
        write(&value, options).expect("is JSON")
    }

    #[test]
    fn spaces_are_where_python_has_them() {
        let value = json!({"a": [1, "é<"], "b": {}});
        let line = written(value.clone(), &Options::default());
        assert_eq!(line, r#"{"a": [1, "é<"], "b": {}}"#);
        let indented = Options {
            indent: Some(2),
            ..Options::default()
        };
        assert_eq!(
            written(value.clone(), &indented),
            "{\n  \"a\": [\n    1,\n    \"é<\"\n  ],\n  \"b\": {}\n}"
        );
        let compact = Options {
            separators: Some([",", ":"].map(str::to_owned)),
            ..Options::default()
        };
        assert_eq!(written(value, &compact), r#"{"a":[1,"é<"],"b":{}}"#);
    }

    #[test]
    fn keys_are_sorted_and_letters_escaped_when_asked_for() {
        let value = json!([{"b": {"d": "é😀", "c": []}, "a": 1.0}]);
        let options = Options {
            sort_keys: true,
            ensure_ascii: true,
            ..Options::default()
        };
        assert_eq!(
            written(value, &options),
            r#"[{"a": 1.0, "b": {"c": [], "d": "\u00e9\ud83d\ude00"}}]"#
        );
    }
}
