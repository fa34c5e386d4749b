//! One text for one JSON value, to be hashed.

use serde_json::{Number, Value};

/// JSON with sorted keys, no white space, and one spelling for one number: 50 and 50.0 are the
/// same, and so are 0 and -0.0.
#[must_use]
pub fn canonical_json(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            // Sorted here, whatever map type the JSON crate was built with.
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
            text.push('{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        Value::Number(number) => text.push_str(&canonical_number(number)),
        plain => text.push_str(&plain.to_string()),
    }
}

fn canonical_number(number: &Number) -> String {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match number.as_f64() {
        Some(x) if number.is_f64() && x.fract() == 0.0 && x.abs() <= EXACT => {
            (x as i64).to_string()
        }
        _ => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_spelling_for_one_value() {
        assert_eq!(
            canonical_json(&json!({"b": [1.0, 0.25], "a": -0.0})),
            r#"{"a":0,"b":[1,0.25]}"#
        );
        assert_eq!(
            canonical_json(&json!({"a": 0, "b": [1, 0.25]})),
            r#"{"a":0,"b":[1,0.25]}"#
        );
        assert_eq!(
            canonical_json(&json!(["\"", null, true])),
            r#"["\"",null,true]"#
        );
        assert_ne!(canonical_json(&json!(1)), canonical_json(&json!("1")));
    }
}
