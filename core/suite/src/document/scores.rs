//! Which scores, by id or family, and the settings of agreement.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

use super::written;
use crate::read::At;

/// `standard`, `all`, or a list of ids and families.
#[derive(Debug, Default)]
pub(crate) enum ScoresDoc {
    #[default]
    Standard,
    All,
    Only(Vec<At<ScoresWordDoc>>),
}

impl<'de> Deserialize<'de> for ScoresDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScoresVisitor;
        impl<'de> Visitor<'de> for ScoresVisitor {
            type Value = ScoresDoc;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("standard, all, or a list of scores and families")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ScoresDoc, E> {
                match text {
                    "standard" => Ok(ScoresDoc::Standard),
                    "all" => Ok(ScoresDoc::All),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<ScoresDoc, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(ScoresDoc::Only)
            }
        }
        deserializer.deserialize_any(ScoresVisitor)
    }
}

impl JsonSchema for ScoresDoc {
    fn schema_name() -> Cow<'static, str> {
        "Scores".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"enum": ["standard", "all"]},
            {"type": "array", "minItems": 1, "uniqueItems": true, "items": generator.subschema_for::<ScoresWordDoc>()},
        ]})
    }
}

/// A string of which the schema knows the allowed values.
macro_rules! word {
    ($(#[$doc:meta])* $name:ident, $title:literal, $known:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, serde::Deserialize)]
        #[serde(transparent)]
        pub(crate) struct $name(pub(crate) String);

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                $title.into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let known: Vec<&str> = $known;
                json_schema!({"type": "string", "enum": known})
            }
        }
    };
}

word! {
    /// Id of a score of the catalogue, or a score of a class.
    ReproducedScoreDoc, "ReproducedScore", xbench_metrics::catalogue()
        .iter()
        .map(|score| score.id)
        .chain(xbench_metrics::classification::CLASS_SCORES)
        .collect()
}

word! {
    /// Id of a score of the catalogue.
    ScoreDoc, "Score", xbench_metrics::catalogue().iter().map(|score| score.id).collect()
}

word! {
    /// Id of a score of the catalogue, the name of a family, or `standard`.
    ScoresWordDoc, "ScoreOrFamily", score_words().collect()
}

/// What a list of scores may name. A score goes before a family of its name.
pub(crate) fn score_words() -> impl Iterator<Item = &'static str> {
    let catalogue = xbench_metrics::catalogue();
    let families = xbench_metrics::Family::ALL
        .iter()
        .map(|family| family.word());
    std::iter::once("standard")
        .chain(families.filter(|word| xbench_metrics::find(word).is_none()))
        .chain(catalogue.iter().map(|score| score.id))
}

/// Settings of the scores that compare maps with maps.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a mapping like {segment: 4}"
)]
#[schemars(rename = "Agreement")]
pub(crate) struct AgreementDoc {
    /// Side of the grid segments on which the measures of Krishna et al. compare pictures, in
    /// pixels; 1 for the pixels themselves.
    #[schemars(range(min = 1, max = 256))]
    pub(crate) segment: At<u32>,
}

impl Default for AgreementDoc {
    fn default() -> Self {
        Self {
            segment: written(4),
        }
    }
}
