//! JSON as Python's `json` module writes it.

use serde::de::DeserializeOwned;

/// What Python writes for floats that JSON has no way to write.
const NON_FINITE: [&str; 3] = ["-Infinity", "Infinity", "NaN"];

/// Reads JSON in which a float may be infinite or not a number; such a value becomes `null`.
///
/// Files of diffusers have them: `"lambda_min_clipped": -Infinity` in a scheduler's configuration
/// is a bound that bounds nothing, as `null` is.
///
/// # Errors
/// Those of `serde_json`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> serde_json::Result<T> {
    match serde_json::from_slice(bytes) {
        Err(error) if error.is_syntax() => match std::str::from_utf8(bytes) {
            Ok(text) => serde_json::from_str(&standard(text)),
            Err(_) => Err(error),
        },
        result => result,
    }
}

/// The same in standard JSON.
fn standard(text: &str) -> String {
    let mut standard = String::with_capacity(text.len());
    for (part, in_string) in parts(text) {
        if in_string {
            standard.push_str(part);
        } else {
            let replace = |part: String, word: &&str| part.replace(word, "null");
            standard.push_str(&NON_FINITE.iter().fold(part.to_owned(), replace));
        }
    }
    standard
}

/// Cuts a text at its quotation marks, which stay with the part before them, and says of each part
/// whether it is within a string.
fn parts(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut in_string = false;
    let mut escaped = false;
    let ends_part = move |character: char| {
        let quote = character == '"' && !escaped;
        escaped = in_string && character == '\\' && !escaped;
        in_string ^= quote;
        quote
    };
    text.split_inclusive(ends_part)
        .enumerate()
        .map(|(index, part)| (part, index % 2 == 1))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests fail by panicking")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(text: &str) -> serde_json::Result<Value> {
        from_slice(text.as_bytes())
    }

    #[test]
    fn only_bare_words_become_null() {
        let text = r#"{"a": [-Infinity, Infinity,NaN, -1.5], "NaN": "\"NaN\\", "b": NaN}"#;
        let expected = json!({"a": [null, null, null, -1.5], "NaN": "\"NaN\\", "b": null});
        assert_eq!(parse(text).unwrap(), expected);
        assert_eq!(parse(r#"["NaN", 1]"#).unwrap(), json!(["NaN", 1]));
    }

    #[test]
    fn what_is_no_json_is_an_error() {
        assert!(parse("{\"a\": Inf}").is_err());
        assert!(parse("\"open").is_err());
        let error = parse("[-Infinity,\nx]").unwrap_err().to_string();
        assert!(error.contains("line 2 column 1"), "{error}");
        assert!(from_slice::<Value>(b"[NaN, \"\xFF\"]").is_err());
    }
}
