//! The data: which set, which rows, which class of them.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::written;
use crate::read::At;

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
