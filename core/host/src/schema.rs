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

use serde_json::{Map, Number, Value};

/// Keywords that say nothing about what is valid.
const ANNOTATIONS: [&str; 9] = [
    "$schema",
    "$id",
    "$comment",
    "title",
    "description",
    "examples",
    "format",
    "deprecated",
    "default",
];
const TYPES: [&str; 7] = [
    "object", "array", "string", "number", "integer", "boolean", "null",
];
/// Deepest nesting of a schema.
const MAX_DEPTH: usize = 16;

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

/// Is `schema` one that [`check`] understands, and do its defaults keep to it?
pub(crate) fn check_schema(schema: &Value) -> Result<(), String> {
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err("the schema of parameters must have \"type\": \"object\"".to_owned());
    }
    walk(schema, "", 0)
}

fn walk(schema: &Value, path: &str, depth: usize) -> Result<(), String> {
    let fail = |message: String| Err(format!("schema{}: {message}", place(path)));
    let Value::Object(schema_map) = schema else {
        return fail("it is not an object".to_owned());
    };
    if depth > MAX_DEPTH {
        return fail(format!("it is nested deeper than {MAX_DEPTH}"));
    }
    for (keyword, value) in schema_map {
        let fits = match keyword.as_str() {
            "type" => match value {
                Value::Array(types) => types.iter().all(is_type),
                one => is_type(one),
            },
            "properties" => {
                let Value::Object(properties) = value else {
                    return fail("`properties` is not an object".to_owned());
                };
                for (name, property) in properties {
                    walk(property, &join(path, name), depth + 1)?;
                }
                true
            }
            "items" => {
                walk(value, &format!("{path}[]"), depth + 1)?;
                true
            }
            "anyOf" => {
                let Some(alternatives) = value.as_array().filter(|list| !list.is_empty()) else {
                    return fail("`anyOf` is not a list of schemas".to_owned());
                };
                for alternative in alternatives {
                    walk(alternative, path, depth + 1)?;
                }
                true
            }
            "required" => value
                .as_array()
                .is_some_and(|names| names.iter().all(Value::is_string)),
            "additionalProperties" => value.is_boolean(),
            "enum" => value.as_array().is_some_and(|values| !values.is_empty()),
            "const" => true,
            "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => value.is_number(),
            "minItems" | "maxItems" | "minLength" | "maxLength" => value.is_u64(),
            annotation if ANNOTATIONS.contains(&annotation) => true,
            other => {
                return fail(format!(
                    "the keyword {other:?} is not supported by this program"
                ));
            }
        };
        if !fits {
            return fail(format!("`{keyword}` has an unfit value: {value}"));
        }
    }
    if let Some(default) = schema.get("default")
        && let Err(error) = check_at(schema, default, path)
    {
        return fail(format!("its default does not keep to it: {error}"));
    }
    Ok(())
}

fn is_type(value: &Value) -> bool {
    value.as_str().is_some_and(|name| TYPES.contains(&name))
}

fn place(path: &str) -> String {
    if path.is_empty() {
        String::new()
    } else {
        format!(" of {path}")
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

/// Checks `value` against `schema`, which [`check_schema`] accepted; returns it in canonical form
/// with the defaults filled in. `null` stands for no parameters at all.
pub(crate) fn check(schema: &Value, value: &Value) -> Result<Value, ParamsError> {
    let empty = Value::Object(Map::new());
    check_at(schema, if value.is_null() { &empty } else { value }, "")
}

fn check_at(schema: &Value, value: &Value, path: &str) -> Result<Value, ParamsError> {
    let fail = |message: String| {
        Err(ParamsError {
            path: path.to_owned(),
            message,
            suggestion: None,
        })
    };
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::Array(types)) => types.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one],
        _ => Vec::new(),
    };
    if !types.is_empty() && !types.iter().any(|name| has_type(value, name)) {
        return fail(format!(
            "expected {}, found {}",
            types.join(" or "),
            show(value)
        ));
    }
    let chosen = match schema.get("anyOf") {
        Some(Value::Array(alternatives)) => Some(check_any(alternatives, value, path)?),
        _ => None,
    };
    let value = match chosen.as_ref().unwrap_or(value) {
        Value::Object(object) => check_object(schema, object, path)?,
        Value::Array(items) => check_array(schema, items, path)?,
        Value::Number(number) => check_number(schema, number, &types, path)?,
        Value::String(text) => {
            let length = text.chars().count() as u64;
            check_length(
                schema,
                length,
                ("minLength", "maxLength"),
                "characters",
                path,
            )?;
            value.clone()
        }
        other => other.clone(),
    };
    if let Some(Value::Array(allowed)) = schema.get("enum")
        && !allowed.iter().any(|one| same(one, &value))
    {
        let shown: Vec<String> = allowed.iter().map(show).collect();
        let suggestion = value
            .as_str()
            .and_then(|text| nearest(text, allowed.iter().filter_map(Value::as_str)));
        let message = format!("{} is not one of {}", show(&value), shown.join(", "));
        return Err(ParamsError {
            path: path.to_owned(),
            message,
            suggestion,
        });
    }
    if let Some(only) = schema.get("const")
        && !same(only, &value)
    {
        return fail(format!("{} is not {}", show(&value), show(only)));
    }
    Ok(value)
}

/// The value in the canonical form of the first alternative that it keeps to.
fn check_any(alternatives: &[Value], value: &Value, path: &str) -> Result<Value, ParamsError> {
    let mut first = None;
    for alternative in alternatives {
        match check_at(alternative, value, path) {
            Ok(checked) => return Ok(checked),
            Err(error) => first = first.or(Some(error)),
        }
    }
    Err(first.unwrap_or_else(|| ParamsError {
        path: path.to_owned(),
        message: "no value is allowed here".to_owned(),
        suggestion: None,
    }))
}

/// Equality as JSON Schema has it: 1 and 1.0 are the same number.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

fn has_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(is_whole),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}

/// Is it a whole number that an i64 holds exactly?
fn is_whole(number: f64) -> bool {
    number.fract() == 0.0 && number.abs() < 9.0e15
}

fn check_object(
    schema: &Value,
    object: &Map<String, Value>,
    path: &str,
) -> Result<Value, ParamsError> {
    let none = Map::new();
    let properties = schema
        .get("properties")
        .and_then(Value::as_object)
        .unwrap_or(&none);
    let open = schema
        .get("additionalProperties")
        .and_then(Value::as_bool)
        .unwrap_or(true);
    let mut checked = Map::new();
    for (name, value) in object {
        let inner = join(path, name);
        match properties.get(name) {
            Some(property) => {
                checked.insert(name.clone(), check_at(property, value, &inner)?);
            }
            None if open => {
                checked.insert(name.clone(), value.clone());
            }
            None => {
                let mut known: Vec<&str> = properties.keys().map(String::as_str).collect();
                known.sort_unstable();
                let message = if known.is_empty() {
                    "unknown parameter; there are none".to_owned()
                } else {
                    format!("unknown parameter; there are {}", known.join(", "))
                };
                return Err(ParamsError {
                    path: inner,
                    message,
                    suggestion: nearest(name, known),
                });
            }
        }
    }
    let required = schema.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !object.contains_key(name) {
            return Err(ParamsError {
                path: join(path, name),
                message: "this parameter is required".to_owned(),
                suggestion: None,
            });
        }
    }
    for (name, property) in properties {
        if let Some(default) = property
            .get("default")
            .filter(|_| !object.contains_key(name))
        {
            checked.insert(
                name.clone(),
                check_at(property, default, &join(path, name))?,
            );
        }
    }
    Ok(Value::Object(checked))
}

fn check_array(schema: &Value, items: &[Value], path: &str) -> Result<Value, ParamsError> {
    check_length(
        schema,
        items.len() as u64,
        ("minItems", "maxItems"),
        "items",
        path,
    )?;
    let Some(item_schema) = schema.get("items") else {
        return Ok(Value::Array(items.to_vec()));
    };
    items
        .iter()
        .enumerate()
        .map(|(index, item)| check_at(item_schema, item, &format!("{path}[{index}]")))
        .collect::<Result<Vec<_>, _>>()
        .map(Value::Array)
}

fn check_length(
    schema: &Value,
    length: u64,
    (least, most): (&str, &str),
    unit: &str,
    path: &str,
) -> Result<(), ParamsError> {
    let bound = |keyword| schema.get(keyword).and_then(Value::as_u64);
    let message = match (bound(least), bound(most)) {
        (Some(least), _) if length < least => format!("{length} {unit}; at least {least}"),
        (_, Some(most)) if length > most => format!("{length} {unit}; at most {most}"),
        _ => return Ok(()),
    };
    Err(ParamsError {
        path: path.to_owned(),
        message,
        suggestion: None,
    })
}

fn check_number(
    schema: &Value,
    number: &Number,
    types: &[&str],
    path: &str,
) -> Result<Value, ParamsError> {
    let value = number.as_f64().unwrap_or(f64::NAN);
    let bound = |keyword| schema.get(keyword).and_then(Value::as_f64);
    let broken = if let Some(bound) = bound("minimum").filter(|bound| value < *bound) {
        Some(format!("at least {bound}"))
    } else if let Some(bound) = bound("maximum").filter(|bound| value > *bound) {
        Some(format!("at most {bound}"))
    } else if let Some(bound) = bound("exclusiveMinimum").filter(|bound| value <= *bound) {
        Some(format!("above {bound}"))
    } else {
        bound("exclusiveMaximum")
            .filter(|bound| value >= *bound)
            .map(|bound| format!("below {bound}"))
    };
    if let Some(rule) = broken {
        let message = format!("{number} is out of range: {rule}");
        return Err(ParamsError {
            path: path.to_owned(),
            message,
            suggestion: None,
        });
    }
    let canonical = if types.contains(&"number") {
        Number::from_f64(value)
    } else if types.contains(&"integer") && number.is_f64() {
        Some(Number::from(value as i64))
    } else {
        Some(number.clone())
    };
    canonical.map(Value::Number).ok_or_else(|| ParamsError {
        path: path.to_owned(),
        message: format!("{number} is not a finite number"),
        suggestion: None,
    })
}

fn show(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 60 {
        format!("{}...", text.chars().take(57).collect::<String>())
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
