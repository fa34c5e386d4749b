//! Reading parameters from JSON, with messages for people who write suites by hand.

use std::fmt::{Debug, Display};

use serde_json::{Map, Value};

use super::types::ParamType;
use crate::error::{Error, Result};

/// A JSON object whose keys are all known. Used by [`params!`](crate::params!).
#[derive(Debug)]
pub struct Object {
    map: Map<String, Value>,
}

impl Object {
    /// Reads an object and refuses keys that are not among `known`.
    ///
    /// # Errors
    /// `InvalidArgument` when the text is not JSON, not an object, or has an unknown key.
    pub fn parse(json: &str, known: &[&str]) -> Result<Self> {
        if json.trim().is_empty() {
            return Ok(Self { map: Map::new() });
        }
        let value: Value = serde_json::from_str(json).map_err(|error| {
            Error::invalid_argument(format!("the parameters are not JSON: {error}"))
        })?;
        let Value::Object(map) = value else {
            return Err(Error::invalid_argument(format!(
                "the parameters: expected an object, found {}",
                describe(&value)
            )));
        };
        for key in map.keys() {
            if !known.contains(&key.as_str()) {
                return Err(unknown_key(key, known));
            }
        }
        Ok(Self { map })
    }

    /// The value of a key, or else its default.
    ///
    /// # Errors
    /// `InvalidArgument` when the type is wrong, or the key is missing and has no default.
    pub fn field<T: ParamType>(&self, name: &str, default: Option<&fn() -> T>) -> Result<T> {
        match (self.map.get(name), default) {
            (Some(value), _) => T::from_json(value).map_err(|problem| {
                Error::invalid_argument(format!("parameter `{name}`: {problem}"))
            }),
            (None, Some(default)) => Ok(default()),
            (None, None) => Err(Error::invalid_argument(format!(
                "parameter `{name}` is required"
            ))),
        }
    }
}

/// The error for a value outside its range.
pub fn out_of_range(name: &str, value: &dyn Debug, low: impl Display, high: impl Display) -> Error {
    Error::invalid_argument(format!(
        "parameter `{name}`: {value:?} is not within {low} to {high}"
    ))
}

/// The error for a value that is none of the choices.
pub fn unknown_choice(name: &str, value: &dyn Debug, choices: &[&str]) -> Error {
    let text = format!("{value:?}");
    let hint = suggestion(text.trim_matches('"'), choices);
    Error::invalid_argument(format!(
        "parameter `{name}`: {text} is none of {}{hint}",
        choices.join(", ")
    ))
}

fn unknown_key(key: &str, known: &[&str]) -> Error {
    let list = if known.is_empty() {
        "this plugin has no parameters".to_owned()
    } else {
        format!("known parameters: {}", known.join(", "))
    };
    Error::invalid_argument(format!(
        "unknown parameter `{key}`{}; {list}",
        suggestion(key, known)
    ))
}

/// `"; did you mean ...?"` when a known word is near, else nothing.
pub(crate) fn suggestion(word: &str, known: &[&str]) -> String {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.chars().count() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| format!("; did you mean `{candidate}`?"))
        .unwrap_or_default()
}

/// What a JSON value is, in words.
pub(crate) fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => format!("the boolean {value}"),
        Value::Number(_) => format!("the number {value}"),
        Value::String(_) => format!("the string {value}"),
        Value::Array(items) => format!("a list of {} items", items.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}
