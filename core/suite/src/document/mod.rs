//! The suite file as written: the types the JSON Schema is made of.
//!
//! What serde and the schema can say stands here, what needs more than one value at a time in
//! [`crate::values`].

mod data;
mod figures;
mod scores;
mod timing;
mod uses;

use schemars::JsonSchema;

use crate::challenge::{RandomisationDoc, RobustnessDoc};
use crate::perturbation::PerturbationDoc;
use crate::read::At;

pub(crate) use self::data::{AccuracyDoc, DataDoc, SelectDoc, SetDoc, SplitDoc, TargetDoc};
pub(crate) use self::figures::{CompareDoc, ReproductionDoc};
pub(crate) use self::scores::{AgreementDoc, ScoreDoc, ScoresDoc, ScoresWordDoc, score_words};
pub(crate) use self::timing::TimingDoc;
pub(crate) use self::uses::{ExplainerDoc, IntoUse, ModelDoc, UseDoc};

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

/// The JSON Schema (2020-12) of suite files, as `suites/schema.json` holds it.
#[must_use]
pub fn schema_json() -> String {
    let schema = schemars::schema_for!(Document);
    let mut text = serde_json::to_string_pretty(schema.as_value()).unwrap_or_default();
    text.push('\n');
    text
}
