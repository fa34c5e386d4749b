//! Uses of plugins: models and explainers, by name or with settings.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::plugin_use::{PluginUse, parse_plugin_use};

/// A model with settings.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Model")]
pub(crate) struct ModelDoc {
    /// Short name or id; or the path of an ONNX file, relative to the suite's file.
    model: String,
    /// Recipe whose weights are used.
    #[serde(default)]
    preset: Option<String>,
    /// Parameters that differ from the plugin's defaults.
    #[serde(default)]
    params: Map<String, Value>,
    /// File of weights, relative to the suite's file, instead of the preset's.
    #[serde(default)]
    weights: Option<String>,
    /// Training settings that differ from the preset's; such weights are trained on first use.
    #[serde(default)]
    train: Map<String, Value>,
    /// Which of the suite's explainers and controls explain it, by label: all, none or a list.
    #[serde(default)]
    explain: ExplainDoc,
    /// Label in tables, if the short name will not do.
    #[serde(default)]
    name: Option<String>,
}

/// `all`, `none`, or a list of labels.
#[derive(Debug, Default)]
pub(crate) enum ExplainDoc {
    #[default]
    All,
    Only(Vec<String>),
}

impl<'de> Deserialize<'de> for ExplainDoc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ExplainVisitor;
        impl<'de> Visitor<'de> for ExplainVisitor {
            type Value = ExplainDoc;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("all, none, or a list of explainers")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ExplainDoc, E> {
                match text {
                    "all" => Ok(ExplainDoc::All),
                    "none" => Ok(ExplainDoc::Only(Vec::new())),
                    _ => Err(E::invalid_value(de::Unexpected::Str(text), &self)),
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<ExplainDoc, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(items)).map(ExplainDoc::Only)
            }
        }
        deserializer.deserialize_any(ExplainVisitor)
    }
}

impl JsonSchema for ExplainDoc {
    fn schema_name() -> Cow<'static, str> {
        "Explain".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [
            {"enum": ["all", "none"]},
            {"type": "array", "uniqueItems": true, "items": {"type": "string"}},
        ]})
    }
}

/// An explainer with settings.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Explainer")]
pub(crate) struct ExplainerDoc {
    /// Short name or id.
    explainer: String,
    /// Parameters that differ from the plugin's defaults.
    #[serde(default)]
    params: Map<String, Value>,
    /// Label in tables, if the short name will not do.
    #[serde(default)]
    name: Option<String>,
}

/// Turns a mapping into a use of a plugin.
pub(crate) trait IntoUse {
    fn into_use(self) -> Result<PluginUse, crate::SuiteError>;
}

fn with_params(
    plugin: &str,
    params: Map<String, Value>,
    name: Option<String>,
) -> Result<PluginUse, crate::SuiteError> {
    let mut parsed = parse_plugin_use(plugin)?;
    if !parsed.params.is_empty() && !params.is_empty() {
        return Err(crate::SuiteError::new(format!(
            "parameters of \"{plugin}\" stand in two places"
        ))
        .help("keep the braces or the key \"params\""));
    }
    if parsed.params.is_empty() {
        parsed.params = params;
    }
    parsed.name = name.unwrap_or(parsed.name);
    Ok(parsed)
}

impl IntoUse for ModelDoc {
    fn into_use(self) -> Result<PluginUse, crate::SuiteError> {
        let parsed = with_params(&self.model, self.params, self.name)?;
        if parsed.weights.is_some() && self.weights.is_some() {
            return Err(crate::SuiteError::new(
                "\"model\" and \"weights\" both name a file",
            ));
        }
        Ok(PluginUse {
            preset: self.preset,
            weights: self.weights.map(Into::into).or(parsed.weights),
            train: self.train,
            explain: match self.explain {
                ExplainDoc::All => None,
                ExplainDoc::Only(labels) => Some(labels),
            },
            ..parsed
        })
    }
}

impl IntoUse for ExplainerDoc {
    fn into_use(self) -> Result<PluginUse, crate::SuiteError> {
        with_params(&self.explainer, self.params, self.name)
    }
}

/// A use of a plugin: its name, perhaps with parameters in braces, or a mapping `T`.
#[derive(Debug, Clone)]
pub(crate) struct UseDoc<T> {
    pub(crate) plugin: PluginUse,
    form: PhantomData<T>,
}

impl<'de, T: Deserialize<'de> + IntoUse> Deserialize<'de> for UseDoc<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UseVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de> + IntoUse> Visitor<'de> for UseVisitor<T> {
            type Value = PluginUse;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a plugin's name, or a mapping with its name and settings")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<PluginUse, E> {
                parse_plugin_use(text).map_err(E::custom)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PluginUse, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))?
                    .into_use()
                    .map_err(de::Error::custom)
            }
        }
        let plugin = deserializer.deserialize_any(UseVisitor::<T>(PhantomData))?;
        Ok(Self {
            plugin,
            form: PhantomData,
        })
    }
}

impl<T: JsonSchema> JsonSchema for UseDoc<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        format!("{}Use", T::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*\\s*(\\{.*\\})?$"},
                generator.subschema_for::<T>(),
            ]
        })
    }
}
