//! The suite file as written: the types the JSON Schema is made of.
//!
//! What serde and the schema can say stands here, what needs more than one value at a time in
//! [`crate::values`].

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::challenge::{RandomisationDoc, RobustnessDoc};
use crate::perturbation::PerturbationDoc;
use crate::plugin_use::{PluginUse, parse_plugin_use};
use crate::read::At;

/// A suite of xbench: models, explainers and scores on a data set.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping that begins with \"suite: name\""
)]
#[schemars(rename = "Suite")]
pub(crate) struct Document {
    /// Name of the suite and of its folder of results: lower-case letters, digits and hyphens.
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9-]*$"))]
    pub(crate) suite: At<String>,
    /// Version of the suite; raise it when its results are no longer comparable.
    #[schemars(range(min = 1))]
    pub(crate) version: At<u32>,
    /// One line on what the suite is for.
    #[serde(default)]
    pub(crate) summary: String,
    /// The images.
    pub(crate) data: DataDoc,
    /// Rows on which accuracy and its kin are measured.
    #[serde(default)]
    pub(crate) accuracy: AccuracyDoc,
    /// Seed of everything random.
    #[serde(default)]
    pub(crate) seed: u64,
    /// The class whose score is explained.
    #[serde(default = "predicted")]
    pub(crate) target: At<TargetDoc>,
    /// Models, by short name or id.
    pub(crate) models: At<Vec<At<UseDoc<ModelDoc>>>>,
    /// Explainers, by short name or id.
    pub(crate) explainers: At<Vec<At<UseDoc<ExplainerDoc>>>>,
    /// Explainers that know nothing of the model, or everything of the mask; rows to compare with.
    #[serde(default)]
    pub(crate) controls: Vec<At<UseDoc<ExplainerDoc>>>,
    /// Scores to compute: standard, all, or a list of scores and families.
    #[serde(default)]
    pub(crate) scores: ScoresDoc,
    /// Scores whose mean rank orders the leaderboard; those of faithfulness if not given.
    #[serde(default)]
    pub(crate) ranking: Option<At<Vec<At<ScoreDoc>>>>,
    /// Settings of the scores that perturb the input or compare the highest pixels.
    #[serde(default)]
    pub(crate) perturbation: PerturbationDoc,
    /// Settings of the scores that compare maps with maps.
    #[serde(default)]
    pub(crate) agreement: AgreementDoc,
    /// Settings of the scores of robustness, which explain other rows.
    #[serde(default)]
    pub(crate) robustness: RobustnessDoc,
    /// Settings of the scores of randomisation, which explain other models.
    #[serde(default)]
    pub(crate) randomisation: RandomisationDoc,
    /// How explainers are timed, or off.
    #[serde(default)]
    pub(crate) timing: TimingDoc,
    /// Images per unit of work.
    #[serde(default = "chunk")]
    #[schemars(range(min = 1, max = 4096))]
    pub(crate) chunk: At<u32>,
    /// Rows of the training split that explainers which ask for background rows are given, evenly
    /// over the classes.
    #[serde(default = "background")]
    #[schemars(range(min = 1, max = 10000))]
    pub(crate) background: At<u32>,
    /// Seconds an explainer may take for one unit of work.
    #[serde(default = "deadline")]
    #[schemars(range(min = 0.1, max = 86400.0))]
    pub(crate) deadline: At<f64>,
    /// Folders with plugins, relative to the suite's file.
    #[serde(default)]
    pub(crate) plugins: Vec<String>,
    /// Published figures to compare with what is measured.
    #[serde(default)]
    pub(crate) reproduction: Vec<At<ReproductionDoc>>,
    /// Models to be compared with other models, explanation by explanation, on the same rows.
    #[serde(default)]
    pub(crate) compare: Vec<At<CompareDoc>>,
    /// Further parts, run after this one: other data, or other models on other data. What a part
    /// does not say is as above; its results stand in a folder of their own, `<suite>-<part>`.
    #[serde(default)]
    pub(crate) also: Vec<At<PartDoc>>,
}

/// A further part of a suite.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping like {part: photos, data: {set: fashion-mnist, split: photos}}"
)]
#[schemars(rename = "Part")]
pub(crate) struct PartDoc {
    /// Name of the part: lower-case letters, digits and hyphens.
    #[schemars(regex(pattern = "^[a-z0-9][a-z0-9-]*$"))]
    pub(crate) part: At<String>,
    /// One line on what the part is for.
    #[serde(default)]
    pub(crate) summary: Option<String>,
    /// The images, or the table.
    pub(crate) data: DataDoc,
    /// Rows on which accuracy and its kin are measured.
    #[serde(default)]
    pub(crate) accuracy: Option<AccuracyDoc>,
    /// The class whose score is explained.
    #[serde(default)]
    pub(crate) target: Option<At<TargetDoc>>,
    /// Models, by short name or id.
    #[serde(default)]
    pub(crate) models: Option<At<Vec<At<UseDoc<ModelDoc>>>>>,
    /// Explainers, by short name or id.
    #[serde(default)]
    pub(crate) explainers: Option<At<Vec<At<UseDoc<ExplainerDoc>>>>>,
    /// Rows to compare with.
    #[serde(default)]
    pub(crate) controls: Option<Vec<At<UseDoc<ExplainerDoc>>>>,
    /// Scores to compute: standard, all, or a list of scores and families.
    #[serde(default)]
    pub(crate) scores: Option<ScoresDoc>,
    /// Scores whose mean rank orders the leaderboard.
    #[serde(default)]
    pub(crate) ranking: Option<At<Vec<At<ScoreDoc>>>>,
    /// How explainers are timed, or off.
    #[serde(default)]
    pub(crate) timing: Option<TimingDoc>,
    /// Images per unit of work.
    #[serde(default)]
    #[schemars(range(min = 1, max = 4096))]
    pub(crate) chunk: Option<At<u32>>,
    /// Published figures to compare with what is measured in this part.
    #[serde(default)]
    pub(crate) reproduction: Vec<At<ReproductionDoc>>,
    /// Models to be compared with other models of this part.
    #[serde(default)]
    pub(crate) compare: Vec<At<CompareDoc>>,
}

/// Are the explanations of some models better than those of others, on the same rows?
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping like {name: with-masks, models: [a], against: [b], explainers: [gradient], scores: [relevance_mass]}"
)]
#[schemars(rename = "Compare")]
pub(crate) struct CompareDoc {
    /// Name of the comparison.
    pub(crate) name: String,
    /// Labels of models; of several (seeds, say) the mean per row counts.
    pub(crate) models: Vec<String>,
    /// Labels of the models they are compared with.
    pub(crate) against: Vec<String>,
    /// Labels of explainers.
    pub(crate) explainers: Vec<String>,
    /// Scores of explanations.
    pub(crate) scores: Vec<ScoreDoc>,
}

/// A default: a value that stands nowhere.
pub(crate) fn written<T>(value: T) -> At<T> {
    At {
        at: crate::Location { line: 1, column: 1 },
        value,
    }
}

fn predicted() -> At<TargetDoc> {
    written(TargetDoc::Predicted)
}

fn chunk() -> At<u32> {
    written(64)
}

fn background() -> At<u32> {
    written(100)
}

fn deadline() -> At<f64> {
    written(60.0)
}

/// The images.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping like {set: garments, select: {balanced: 100}}"
)]
#[schemars(rename = "Data")]
pub(crate) struct DataDoc {
    /// The data set: a name, with options in braces if need be (`busi{size: 96}`), or the path of a
    /// description that ends in `.toml`, relative to the suite's file.
    pub(crate) set: At<SetDoc>,
    /// Folder of the set's files, relative to the suite's file.
    #[serde(default)]
    pub(crate) root: Option<String>,
    /// Which split.
    #[serde(default)]
    pub(crate) split: SplitDoc,
    /// Which rows are explained.
    #[serde(default = "every_row")]
    pub(crate) select: At<SelectDoc>,
    /// Set to use, under its own name, where `set` cannot be had.
    #[serde(default)]
    pub(crate) otherwise: Option<At<SetDoc>>,
}

fn every_row() -> At<SelectDoc> {
    written(SelectDoc::All)
}

/// A split.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Split")]
pub(crate) enum SplitDoc {
    /// The training rows.
    Train,
    /// The rows on which the best epoch is chosen.
    Validation,
    /// The test rows.
    #[default]
    Test,
    /// Photographs from outside the set.
    Photos,
}

/// Which rows.
#[derive(Debug, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Select")]
pub(crate) enum SelectDoc {
    /// All rows.
    All,
    /// The first so many.
    First(usize),
    /// From the first number up to, not including, the second.
    Range([usize; 2]),
    /// So many, evenly over the classes, of each the first.
    Balanced(usize),
}

/// Rows for accuracy.
#[derive(Debug, Clone, Copy, Default, serde::Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Accuracy")]
pub(crate) enum AccuracyDoc {
    /// The whole split.
    #[default]
    All,
    /// The rows that are explained.
    Same,
}

/// The class whose score is explained.
#[derive(Debug, Clone, Copy, serde::Deserialize, JsonSchema)]
#[serde(
    rename_all = "snake_case",
    expecting = "predicted, label or {class: 3}"
)]
#[schemars(rename = "Target")]
pub(crate) enum TargetDoc {
    /// The class the model predicts.
    Predicted,
    /// The class of the label.
    Label,
    /// Always this one.
    Class(usize),
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

/// A published figure.
#[derive(Debug, serde::Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    expecting = "a mapping like {model: lenet, score: accuracy, published: 0.91, source: ...}"
)]
#[schemars(rename = "Reproduction")]
pub(crate) struct ReproductionDoc {
    /// Label of a model of this suite.
    pub(crate) model: String,
    /// Preset the figure is about, beside the one the suite uses.
    #[serde(default)]
    pub(crate) preset: Option<String>,
    /// The score: of the model; of one of its classes where `class` names it; of an explanation
    /// where `explainer` names it.
    pub(crate) score: ReproducedScoreDoc,
    /// Name of the class that the figure is about.
    #[serde(default)]
    pub(crate) class: Option<String>,
    /// Label of the explainer (or control) that the figure is about.
    #[serde(default)]
    pub(crate) explainer: Option<String>,
    /// The published value.
    pub(crate) published: f64,
    /// How far from the published value still counts as reproduced; 0 by default.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub(crate) tolerance: Option<f64>,
    /// The published standard deviation over several trainings, in place of a tolerance: twice
    /// this still counts as reproduced.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub(crate) sd: Option<f64>,
    /// Where it was published.
    pub(crate) source: String,
}

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

/// A data set: a name, perhaps with options in braces, or the path of a description.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(transparent)]
pub(crate) struct SetDoc(pub(crate) String);

impl JsonSchema for SetDoc {
    fn schema_name() -> Cow<'static, str> {
        "Set".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let known: Vec<String> = xbench_data::known().into_iter().map(|set| set.id).collect();
        json_schema!({"anyOf": [
            {"enum": known},
            {"type": "string", "pattern": "^[A-Za-z0-9._/-]+\\s*(\\{.*\\})?$"},
        ]})
    }
}

/// The JSON Schema (2020-12) of suite files, as `suites/schema.json` holds it.
#[must_use]
pub fn schema_json() -> String {
    let schema = schemars::schema_for!(Document);
    let mut text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    text.push('\n');
    text
}
