//! YAML text as nodes that know where they stand.
//!
//! Suites come from strangers, so the parser works under a budget: no aliases (a suite needs
//! none, and they are how a small file becomes a large one), little depth, one document.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::Spanned;

use crate::error::{Location, SuiteError};

/// Greatest length of a suite file in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
const MAX_DEPTH: usize = 16;
const MAX_NODES: usize = 50_000;

/// A YAML value and its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) at: Location,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A mapping's key and its place.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) at: Location,
    pub(crate) name: String,
}

/// Parses one YAML document.
pub(crate) fn parse(text: &str) -> Result<Node, SuiteError> {
    if text.len() > MAX_BYTES {
        return Err(SuiteError::new(format!(
            "the file is {} bytes long, a suite may have {MAX_BYTES}",
            text.len()
        )));
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
            max_aliases: 0,
            max_documents: 1,
            max_total_scalar_bytes: MAX_BYTES,
        },
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let at = error.location().and_then(location);
        let (message, help) = match error.without_snippet() {
            serde_saphyr::Error::Eof { .. } => (
                "the file is empty".to_owned(),
                "a suite begins with \"suite: name\"",
            ),
            serde_saphyr::Error::DuplicateMappingKey { key, .. } => (
                format!(
                    "the key \"{}\" occurs twice",
                    key.as_deref().unwrap_or_default()
                ),
                "keep one of the two entries",
            ),
            serde_saphyr::Error::Budget { .. } => (
                "this is too large or too deep, or uses aliases".to_owned(),
                "a suite is one document of at most 1 MiB, 16 levels deep, without aliases",
            ),
            other => {
                // The place is ours to print, so the parser's own mention of it is cut off.
                let text = other.to_string();
                let text = text.split(" at line ").next().unwrap_or(&text).trim();
                (
                    format!("this is not YAML: {text}"),
                    "check indentation, quotes and brackets here and on the line above",
                )
            }
        };
        SuiteError::new(message).help(help).at(at)
    })
}

fn location(at: serde_saphyr::Location) -> Option<Location> {
    let number = |n: u64| u32::try_from(n).ok().filter(|n| *n > 0);
    Some(Location {
        line: number(at.line())?,
        column: number(at.column())?,
    })
}

fn place(at: serde_saphyr::Location) -> Location {
    location(at).unwrap_or(Location { line: 1, column: 1 })
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self {
            at: place(spanned.referenced),
            value: spanned.value,
        })
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("numbers in a suite must be finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<String>, Node>()? {
            map.push((
                Key {
                    at: place(key.referenced),
                    name: key.value,
                },
                value,
            ));
        }
        Ok(Value::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_and_keys_know_their_places() {
        let node = parse("a: 1\nbb:\n  - x\n  - {c: 2.5, d: off}\n").unwrap();
        let Value::Map(map) = node.value else {
            panic!()
        };
        assert_eq!(map[0].0.at, Location { line: 1, column: 1 });
        assert_eq!(map[0].1.at, Location { line: 1, column: 4 });
        assert_eq!(map[1].0.at, Location { line: 2, column: 1 });
        let Value::List(list) = &map[1].1.value else {
            panic!()
        };
        assert_eq!(list[0].at, Location { line: 3, column: 5 });
        let Value::Map(inner) = &list[1].value else {
            panic!()
        };
        assert_eq!(
            (inner[1].0.name.as_str(), inner[1].0.at),
            (
                "d",
                Location {
                    line: 4,
                    column: 14
                }
            )
        );
        assert!(matches!(&inner[1].1.value, Value::Text(text) if text == "off"));
    }

    #[test]
    fn bombs_and_towers_are_refused() {
        let bomb = "a: &a [1, 1, 1]\nb: &b [*a, *a, *a]\nc: [*b, *b, *b]\n";
        assert!(
            parse(bomb)
                .unwrap_err()
                .to_string()
                .contains("without aliases")
        );
        for tower in [
            "[".repeat(10_000),
            "- ".repeat(10_000),
            "{a: ".repeat(10_000),
        ] {
            assert!(parse(&tower).is_err());
        }
        let long = format!("a: {}", "x".repeat(MAX_BYTES));
        assert!(
            parse(&long)
                .unwrap_err()
                .to_string()
                .contains("a suite may have")
        );
        assert!(parse("a: 1\n---\nb: 2\n").is_err());
        assert!(parse("a: .nan\n").is_err());
        assert!(
            parse("a: 1\na: 2\n")
                .unwrap_err()
                .to_string()
                .contains("keep one")
        );
        assert_eq!(
            parse("a: 1\na: 2\n").unwrap_err().at,
            Some(Location { line: 2, column: 1 })
        );
    }

    #[test]
    fn a_syntax_error_has_its_place() {
        let error = parse("a: [1, 2\nb: 3\n").unwrap_err();
        assert!(error.at.is_some_and(|at| at.line >= 1), "{error}");
    }
}
