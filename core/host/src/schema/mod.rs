//! Checks parameters against a plugin's JSON Schema, and fills in the defaults.
//!
//! The subset of JSON Schema 2020-12 that describes an object of options: `type`, `properties`,
//! `required`, `additionalProperties`, `items`, `anyOf`, `enum`, `const`, bounds of numbers, lists
//! and strings, `default`. A schema that uses another keyword is refused when the plugin is discovered,
//! so no constraint is ever silently ignored. A full validator would be the largest dependency of
//! the host, for references and formats that options do not need.
//!
//! Checked values are canonical, since they are part of a result's identity: a `number` is always
//! a float (`1` becomes `1.0`), an `integer` never is.

mod subset;
mod value;

pub(crate) use self::subset::check_schema;
pub(crate) use self::value::check;

/// Parameters that do not fit a plugin's schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}{}", at(path), hint(suggestion.as_deref()))]
pub struct ParamsError {
    /// Where: `steps`, `window[0]`; empty for the parameters as a whole.
    pub path: String,
    /// What is wrong, and what would be right.
    pub message: String,
    /// The name or value that was probably meant.
    pub suggestion: Option<String>,
}

fn at(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!("{path}: ")
    }
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion
        .map(|name| format!("; did you mean {name}?"))
        .unwrap_or_default()
}

/// The candidate nearest to `name`, when it is near enough to be a slip of the finger.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<String> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(similarity, _)| *similarity >= 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate.to_owned())
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn schema() -> Value {
        json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "additionalProperties": false,
            "required": ["input"],
            "properties": {
                "input": {"type": "array", "items": {"type": "integer", "minimum": 1},
                          "minItems": 3, "maxItems": 3},
                "steps": {"type": "integer", "default": 50, "minimum": 1, "maximum": 10000},
                "baseline": {"type": "number", "default": 0, "exclusiveMaximum": 1},
                "rule": {"type": "string", "default": "trapezoid",
                         "enum": ["left", "right", "trapezoid"]},
                "absolute": {"type": ["boolean", "null"]},
                "layer": {"anyOf": [{"type": "string"}, {"type": "null"}], "default": null},
            },
        })
    }

    #[test]
    fn defaults_are_filled_in_and_numbers_are_canonical() {
        check_schema(&schema()).unwrap();
        let checked = check(&schema(), &json!({"input": [1, 28.0, 28]})).unwrap();
        let expected = json!({
            "input": [1, 28, 28], "steps": 50, "baseline": 0.0, "rule": "trapezoid", "layer": null,
        });
        assert_eq!(checked, expected);
        assert_eq!(checked.to_string(), expected.to_string());
        let none = json!({"type": "object", "additionalProperties": false});
        assert_eq!(check(&none, &Value::Null).unwrap(), json!({}));
    }

    #[test]
    fn each_rule_names_place_and_remedy() {
        for (extra, path, expected) in [
            (json!({"stesp": 3}), "stesp", "did you mean steps?"),
            (json!({"steps": 0}), "steps", "at least 1"),
            (json!({"steps": 10001}), "steps", "at most 10000"),
            (
                json!({"steps": 1.5}),
                "steps",
                "expected integer, found 1.5",
            ),
            (
                json!({"steps": "50"}),
                "steps",
                "expected integer, found \"50\"",
            ),
            (json!({"baseline": 1}), "baseline", "below 1"),
            (
                json!({"rule": "trapzoid"}),
                "rule",
                "did you mean trapezoid?",
            ),
            (
                json!({"absolute": 1}),
                "absolute",
                "expected boolean or null",
            ),
            (json!({"layer": 3}), "layer", "expected string, found 3"),
            (json!({"input": [1, 2]}), "input", "2 items; at least 3"),
            (json!({"input": [1, 2, 0]}), "input[2]", "at least 1"),
        ] {
            let mut params = json!({"input": [1, 2, 3]});
            params
                .as_object_mut()
                .unwrap()
                .extend(extra.as_object().unwrap().clone());
            let error = check(&schema(), &params).unwrap_err();
            assert_eq!(error.path, path, "{error}");
            assert!(error.to_string().contains(expected), "{error}");
        }
        let missing = check(&schema(), &json!({})).unwrap_err();
        assert_eq!(missing.to_string(), "input: this parameter is required");
        let list = check(&schema(), &json!([1])).unwrap_err();
        assert_eq!(list.to_string(), "expected object, found [1]");
    }

    #[test]
    fn schemas_beyond_the_subset_are_refused() {
        for (schema, expected) in [
            (json!({"type": "string"}), "must have"),
            (
                json!({"type": "object", "oneOf": []}),
                "\"oneOf\" is not supported",
            ),
            (
                json!({"type": "object", "properties": {"a": {"$ref": "#"}}}),
                "schema of a",
            ),
            (
                json!({"type": "object", "properties": {"a": {"type": "int"}}}),
                "`type`",
            ),
            (json!({"type": "object", "properties": 3}), "`properties`"),
            (
                json!({"type": "object", "properties": {"a": {"type": "integer", "default": "x"}}}),
                "default does not keep to it",
            ),
        ] {
            let error = check_schema(&schema).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
