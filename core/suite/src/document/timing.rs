//! How explainers are timed.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};

use super::written;
use crate::read::At;

/// How explainers are timed.
#[derive(Debug, Clone, serde::Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "off, or a mapping like {images: 16, repeats: 5}"
)]
pub(crate) struct TimingSettings {
    /// Images per measurement.
    #[schemars(range(min = 1, max = 4096))]
    pub(crate) images: At<u32>,
    /// Measurements.
    #[schemars(range(min = 1, max = 1000))]
    pub(crate) repeats: At<u32>,
    /// Measurements thrown away before them.
    #[schemars(range(max = 100))]
    pub(crate) warmup: At<u32>,
}

impl Default for TimingSettings {
    fn default() -> Self {
        Self {
            images: written(16),
            repeats: written(5),
            warmup: written(1),
        }
    }
}

/// `off`, or settings.
#[derive(Debug, Clone)]
pub(crate) enum TimingDoc {
    Off,
    On(TimingSettings),
}

impl Default for TimingDoc {
    fn default() -> Self {
        Self::On(TimingSettings::default())
    }
}

impl<'de> Deserialize<'de> for TimingDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimingVisitor;
        impl<'de> Visitor<'de> for TimingVisitor {
            type Value = TimingDoc;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("off, or a mapping like {images: 16, repeats: 5}")
            }
            fn visit_bool<E: de::Error>(self, on: bool) -> Result<TimingDoc, E> {
                Ok(if on {
                    TimingDoc::default()
                } else {
                    TimingDoc::Off
                })
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<TimingDoc, E> {
                match text {
                    "off" => Ok(TimingDoc::Off),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<TimingDoc, A::Error> {
                TimingSettings::deserialize(MapAccessDeserializer::new(map)).map(TimingDoc::On)
            }
        }
        deserializer.deserialize_any(TimingVisitor)
    }
}

impl JsonSchema for TimingDoc {
    fn schema_name() -> Cow<'static, str> {
        "Timing".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"enum": ["off", false, true]},
            generator.subschema_for::<TimingSettings>(),
        ]})
    }
}
