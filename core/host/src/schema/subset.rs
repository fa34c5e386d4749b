//! Which schemas are understood.

use serde_json::Value;

use super::join;
use super::value::check_at;

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

/// Is `schema` one that [`check`](super::check) understands, and do its defaults keep to it?
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
