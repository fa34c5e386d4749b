//! Nodes into Rust types by serde, with errors that say where.
//!
//! The parser could fill the types itself, but its errors would be in its own words, and an
//! unknown key deserves the nearest known one.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::{StrDeserializer, U32Deserializer};
use serde::de::{
    self, Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use crate::error::{Location, SuiteError};
use crate::node::{Key, Node, Value};

/// Fills a `T` from a node.
pub(crate) fn read<'n, T: Deserialize<'n>>(node: &'n Node) -> Result<T, SuiteError> {
    T::deserialize(Reader(node))
}

/// A value and the place of its node. Only [`read`] can fill it.
#[derive(Debug, Clone)]
pub(crate) struct At<T> {
    pub(crate) at: Location,
    pub(crate) value: T,
}

const AT: &str = "$xbench::At";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AtVisitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for AtVisitor<T> {
            type Value = At<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value with a place")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<At<T>, A::Error> {
                let mut missing = || A::Error::custom("a value without a place");
                let (Some(line), Some(column)) = (parts.next_element()?, parts.next_element()?)
                else {
                    return Err(missing());
                };
                let value = parts.next_element()?.ok_or_else(&mut missing)?;
                Ok(At {
                    at: Location { line, column },
                    value,
                })
            }
        }
        deserializer.deserialize_newtype_struct(AT, AtVisitor(std::marker::PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }
    fn schema_id() -> std::borrow::Cow<'static, str> {
        T::schema_id()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

impl de::Error for SuiteError {
    /// The first line is the message, further lines are help.
    fn custom<T: fmt::Display>(message: T) -> Self {
        let text = message.to_string();
        let mut lines = text.lines().map(str::trim_start);
        let error = Self::new(lines.next().unwrap_or_default());
        lines.fold(error, Self::help)
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::new(format!(
            "expected {}, found {}",
            plain(expected),
            found_words(found)
        ))
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let error = Self::new(format!("unknown key \"{field}\"")).among(
            field,
            expected.iter().copied(),
            "known keys",
        );
        if field.contains('{') {
            error.help("a plugin with parameters needs quotes around it: 'ig{steps: 50}'")
        } else {
            error
        }
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        Self::new(format!("unknown value \"{variant}\"")).among(
            variant,
            expected.iter().copied(),
            "known values",
        )
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(format!("the key \"{field}\" is missing"))
            .help(format!("add \"{field}: ...\" here"))
    }
}

fn plain(expected: &dyn de::Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not negative".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        _ => text,
    }
}

fn found_words(found: de::Unexpected<'_>) -> String {
    match found {
        de::Unexpected::Seq => "a list".to_owned(),
        de::Unexpected::Map => "a mapping".to_owned(),
        de::Unexpected::Unit | de::Unexpected::Option => "nothing".to_owned(),
        de::Unexpected::Signed(n) => n.to_string(),
        de::Unexpected::Unsigned(n) => n.to_string(),
        de::Unexpected::Float(x) => x.to_string(),
        de::Unexpected::Bool(b) => b.to_string(),
        de::Unexpected::Str(text) => format!("\"{text}\""),
        other => other.to_string(),
    }
}

struct Reader<'n>(&'n Node);

impl<'n> Reader<'n> {
    fn visit<V: Visitor<'n>>(&self, visitor: V) -> Result<V::Value, SuiteError> {
        match &self.0.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
                (Some(n), _, _) => visitor.visit_u64(n),
                (_, Some(n), _) => visitor.visit_i64(n),
                (_, _, Some(x)) => visitor.visit_f64(x),
                _ => Err(SuiteError::new("this number cannot be represented")),
            },
            Value::Text(text) => visitor.visit_borrowed_str(text),
            Value::List(items) => visitor.visit_seq(Items(items.iter())),
            Value::Map(entries) => visitor.visit_map(Entries {
                entries: entries.iter(),
                value: None,
            }),
        }
    }
}

impl<'n> Deserializer<'n> for Reader<'n> {
    type Error = SuiteError;

    fn deserialize_any<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, SuiteError> {
        self.visit(visitor)
            .map_err(|error| error.at(Some(self.0.at)))
    }

    fn deserialize_option<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, SuiteError> {
        match self.0.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'n>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, SuiteError> {
        if name == AT {
            visitor.visit_seq(Placed {
                node: self.0,
                step: 0,
            })
        } else {
            visitor.visit_newtype_struct(self)
        }
    }

    fn deserialize_enum<V: Visitor<'n>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SuiteError> {
        let at = Some(self.0.at);
        match &self.0.value {
            Value::Text(text) => visitor.visit_enum(Variant {
                name: text,
                at: self.0.at,
                value: None,
            }),
            Value::Map(entries) => match entries.as_slice() {
                [(key, value)] => visitor.visit_enum(Variant {
                    name: &key.name,
                    at: key.at,
                    value: Some(value),
                }),
                _ => Err(SuiteError::new(format!(
                    "expected one key, found {}",
                    entries.len()
                ))),
            },
            _ => self.visit(visitor),
        }
        .map_err(|error| error.at(at))
    }

    forward_to_deserialize_any! {
        <V: Visitor<'n>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Placed<'n> {
    node: &'n Node,
    step: u8,
}

impl<'n> SeqAccess<'n> for Placed<'n> {
    type Error = SuiteError;

    fn next_element_seed<T: DeserializeSeed<'n>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, SuiteError> {
        self.step += 1;
        let number = |n: u32| -> U32Deserializer<SuiteError> { n.into_deserializer() };
        match self.step {
            1 => seed.deserialize(number(self.node.at.line)).map(Some),
            2 => seed.deserialize(number(self.node.at.column)).map(Some),
            3 => seed.deserialize(Reader(self.node)).map(Some),
            _ => Ok(None),
        }
    }
}

struct Items<'n>(std::slice::Iter<'n, Node>);

impl<'n> SeqAccess<'n> for Items<'n> {
    type Error = SuiteError;

    fn next_element_seed<T: DeserializeSeed<'n>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, SuiteError> {
        self.0
            .next()
            .map(|node| seed.deserialize(Reader(node)))
            .transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.0.len())
    }
}

struct Entries<'n> {
    entries: std::slice::Iter<'n, (Key, Node)>,
    value: Option<&'n Node>,
}

impl<'n> MapAccess<'n> for Entries<'n> {
    type Error = SuiteError;

    fn next_key_seed<K: DeserializeSeed<'n>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, SuiteError> {
        let Some((key, value)) = self.entries.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        let name: StrDeserializer<'n, SuiteError> = key.name.as_str().into_deserializer();
        seed.deserialize(name)
            .map(Some)
            .map_err(|error| error.at(Some(key.at)))
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, SuiteError> {
        let node = self
            .value
            .take()
            .ok_or_else(|| SuiteError::new("a value without a key"))?;
        seed.deserialize(Reader(node))
    }
}

struct Variant<'n> {
    name: &'n str,
    at: Location,
    value: Option<&'n Node>,
}

impl<'n> EnumAccess<'n> for Variant<'n> {
    type Error = SuiteError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Self), SuiteError> {
        let name: StrDeserializer<'n, SuiteError> = self.name.into_deserializer();
        let value = seed
            .deserialize(name)
            .map_err(|error| error.at(Some(self.at)))?;
        Ok((value, self))
    }
}

impl<'n> Variant<'n> {
    fn content(&self) -> Result<Reader<'n>, SuiteError> {
        let missing = || {
            SuiteError::new(format!("\"{}\" needs a value", self.name))
                .help(format!("write {{{}: ...}}", self.name))
        };
        self.value.map(Reader).ok_or_else(missing)
    }
}

impl<'n> VariantAccess<'n> for Variant<'n> {
    type Error = SuiteError;

    fn unit_variant(self) -> Result<(), SuiteError> {
        match self.value {
            None => Ok(()),
            Some(_) => Err(SuiteError::new(format!("\"{}\" takes no value", self.name))
                .help(format!("write {} alone", self.name))),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, seed: T) -> Result<T::Value, SuiteError> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'n>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, SuiteError> {
        self.content()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'n>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SuiteError> {
        self.content()?.deserialize_any(visitor)
    }
}
