//! Values held against a schema.

use serde_json::{Map, Number, Value};

use super::{ParamsError, join, nearest};

/// Checks `value` against `schema`, which [`check_schema`](super::check_schema) accepted; returns it in canonical form
/// with the defaults filled in. `null` stands for no parameters at all.
pub(crate) fn check(schema: &Value, value: &Value) -> Result<Value, ParamsError> {
    let empty = Value::Object(Map::new());
    check_at(schema, if value.is_null() { &empty } else { value }, "")
}

pub(super) fn check_at(schema: &Value, value: &Value, path: &str) -> Result<Value, ParamsError> {
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
