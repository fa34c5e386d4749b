//! What a run found, as one value: every table and document is derived from it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use xbench_metrics::classification::ConfusionMatrix;
use xbench_stats::Interval;

/// A value with its 95% interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// The mean (for times: the median).
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Images (for times: measurements) that have a value.
    pub n: usize,
}

impl From<Interval> for Estimate {
    fn from(interval: Interval) -> Self {
        Self {
            value: interval.mean,
            low: interval.low,
            high: interval.high,
            n: interval.n,
        }
    }
}

/// All that a run found.
#[derive(Debug, Clone, Serialize)]
pub struct Summary {
    /// Name of the suite.
    pub suite: String,
    /// Its version.
    pub suite_version: u32,
    /// The data set that was used.
    pub data_set: String,
    /// Split.
    pub split: String,
    /// Explained images.
    pub n: usize,
    /// Seed.
    pub seed: u64,
    /// Class names.
    pub classes: Vec<String>,
    /// Ids of the scores of explanations, in table order.
    pub scores: Vec<String>,
    /// Ids of the scores that rank.
    pub ranking: Vec<String>,
    /// Expected score of a random map, where it is known.
    pub chance: BTreeMap<String, f64>,
    /// Models with their explanations.
    pub models: Vec<ModelSummary>,
    /// Agreement of maps.
    pub agreement: Vec<AgreementSummary>,
    /// Published figures beside ours.
    pub reproduction: Vec<ReproductionSummary>,
    /// What a reader must know: a substitute data set, say.
    pub warnings: Vec<String>,
    /// Cells that failed, crashed or timed out.
    pub failed_cells: usize,
    /// The folder of results.
    pub folder: PathBuf,
    /// Further parts of the suite; empty where it has none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub parts: Vec<Summary>,
}

/// One model.
#[derive(Debug, Clone, Serialize)]
pub struct ModelSummary {
    /// Label.
    pub model: String,
    /// Preset of its weights; empty where it has none.
    pub preset: String,
    /// Fingerprint of its weights.
    pub weights_fingerprint: String,
    /// Why it could not be used.
    pub error: Option<String>,
    /// How right it is.
    pub accuracy: Option<Classification>,
    /// Its explanations.
    pub cells: Vec<CellSummary>,
}

/// How right a model is.
#[derive(Debug, Clone, Serialize)]
pub struct Classification {
    /// Share of images it classifies right.
    pub accuracy: Estimate,
    /// Mean of the classes' F1, with interval.
    pub macro_f1: Estimate,
    /// Counts of label × prediction, with everything derived from them.
    pub confusion: ConfusionMatrix,
}

/// One explainer on one model.
#[derive(Debug, Clone, Serialize)]
pub struct CellSummary {
    /// Label.
    pub explainer: String,
    /// Key of the cell.
    pub cell: String,
    /// Parameters, with defaults.
    pub params: serde_json::Value,
    /// Whether it is a control.
    pub control: bool,
    /// Status.
    pub status: String,
    /// What is to be said about it.
    pub text: String,
    /// Images with a map.
    pub n: usize,
    /// Scores by id; absent where a score applies to no image.
    pub scores: BTreeMap<String, Estimate>,
    /// Images a score does not apply to, by score and reason.
    pub not_applicable: BTreeMap<String, BTreeMap<String, u64>>,
    /// Mean over images of the mean rank over the ranking scores; 1 is best.
    pub mean_rank: Option<Estimate>,
    /// Rows of a group cannot be told apart from its first; 1 is best.
    pub rank_group: Option<usize>,
    /// Whether its ranks are better than every control's (the oracle aside), by paired tests.
    pub beats_controls: Option<bool>,
    /// Forward rows per image.
    pub forward_rows: Option<f64>,
    /// Backward rows per image.
    pub backward_rows: Option<f64>,
    /// CPU milliseconds per image.
    pub ms_per_image: Option<Estimate>,
    /// Highest resident memory of the timed worker, in bytes.
    pub peak_memory_bytes: Option<u64>,
}

/// Agreement of two maps.
#[derive(Debug, Clone, Serialize)]
pub struct AgreementSummary {
    /// Model of the first.
    pub model_a: String,
    /// Explainer of the first.
    pub explainer_a: String,
    /// Model of the second.
    pub model_b: String,
    /// Explainer of the second.
    pub explainer_b: String,
    /// Id of the score.
    pub score: String,
    /// Its value; absent where it applies to no image.
    pub value: Option<Estimate>,
}

/// A published figure beside ours.
#[derive(Debug, Clone, Serialize)]
pub struct ReproductionSummary {
    /// Label of the model.
    pub model: String,
    /// Preset.
    pub preset: String,
    /// Id of the score.
    pub score: String,
    /// The published value.
    pub published: f64,
    /// Ours.
    pub measured: Option<Estimate>,
    /// `agrees` where the published value lies in our interval, else `above` or `below`, where
    /// ours lies; `not measured` where the run has no such model.
    pub verdict: String,
    /// Where it was published.
    pub source: String,
}
