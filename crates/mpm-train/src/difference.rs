//! In what two JSON values differ.

use serde_json::Value;

/// The paths, such as `data.mix[1].weight`, at which two values differ, those left out whose
/// path `is_neutral`.
pub(crate) fn differences(
    one: &Value,
    other: &Value,
    is_neutral: impl Fn(&str) -> bool,
) -> Vec<String> {
    let mut found = Vec::new();
    compare(one, other, String::new(), &mut found);
    found.retain(|path| !is_neutral(path));
    found
}

fn compare(one: &Value, other: &Value, path: String, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let added = other.keys().filter(|name| !one.contains_key(*name));
            for name in one.keys().chain(added) {
                let path = match path.is_empty() {
                    true => name.clone(),
                    false => format!("{path}.{name}"),
                };
                // A missing value and null are the same.
                let value = |object: &serde_json::Map<String, Value>| {
                    object.get(name).cloned().unwrap_or_default()
                };
                compare(&value(one), &value(other), path, found);
            }
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            for (index, (one, other)) in one.iter().zip(other).enumerate() {
                compare(one, other, format!("{path}[{index}]"), found);
            }
        }
        _ if one == other => {}
        _ => found.push(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_lead_to_what_differs() {
        let one =
            json!({"data": {"mix": [{"weight": 1}, {"weight": 2}]}, "steps": 5, "seed": null});
        let other =
            json!({"data": {"mix": [{"weight": 1}, {"weight": 3}]}, "steps": 5, "every": 2});
        let all = differences(&one, &other, |_| false);
        assert_eq!(all, ["data.mix[1].weight", "every"]);
        let some = differences(&one, &other, |path| path == "every");
        assert_eq!(some, ["data.mix[1].weight"]);
    }

    #[test]
    fn lists_of_other_lengths_differ_as_a_whole() {
        let all = differences(&json!({"mix": [1, 2]}), &json!({"mix": [1]}), |_| false);
        assert_eq!(all, ["mix"]);
        assert!(differences(&json!([1]), &json!([1]), |_| false).is_empty());
    }
}
