//! What the measured scores are held against: published figures, and other models.

use schemars::JsonSchema;

use super::scores::{ReproducedScoreDoc, ScoreDoc};

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
