//! What a run found, as one value: every table and document is derived from it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use xbench_metrics::calibration::ReliabilityBin;
use xbench_metrics::classification::ConfusionMatrix;
use xbench_record::table::{ConcordanceRow, DifferenceRow, ReliabilityRow, ResolutionRow};
use xbench_stats::Interval;

use crate::tables::TableExplanations;

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
    /// Its mean over the pairs of a model or an explainer, class by class.
    pub agreement_groups: Vec<AgreementGroup>,
    /// Where in the picture the attribution lies; none without masks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<RegionShare>,
    /// Published figures beside ours.
    pub reproduction: Vec<ReproductionSummary>,
    /// Models compared with other models.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contrasts: Vec<ContrastSummary>,
    /// Pairs of explainers on every score; in `differences.csv` alone, being many.
    #[serde(skip)]
    pub differences: Vec<DifferenceRow>,
    /// What the images can tell apart.
    pub resolution: Vec<ResolutionRow>,
    /// Whether scores, models and seeds agree on the order of explainers.
    pub concordance: Vec<ConcordanceRow>,
    /// Which scores deserve trust.
    pub reliability: Vec<ReliabilityRow>,
    /// What a reader must know: a substitute data set, say.
    pub warnings: Vec<String>,
    /// Cells that failed, crashed or timed out.
    pub failed_cells: usize,
    /// Attributions of a table's columns beside their values, for pictures; empty for images.
    #[serde(skip)]
    pub tables: Vec<TableExplanations>,
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
    /// The order of its explainers; absent with fewer than two, or without scores that rank.
    pub order: Option<OrderSummary>,
}

/// The order of a model's explainers and controls, and how far it is certain.
#[derive(Debug, Clone, Serialize)]
pub struct OrderSummary {
    /// Labels, the best mean rank first.
    pub explainers: Vec<String>,
    /// Which of them are controls.
    pub controls: Vec<bool>,
    /// Their mean ranks with intervals.
    pub mean_ranks: Vec<Estimate>,
    /// Places, first and last, counted from 0, of the longest runs in which no two are told apart
    /// by paired Wilcoxon tests, Holm-corrected over all pairs; runs may overlap.
    pub runs: Vec<(usize, usize)>,
    /// p of Friedman's test that all rank alike, by the F of Iman and Davenport.
    pub friedman_p: Option<f64>,
    /// Nemenyi's critical difference of mean ranks at 0.05; on the safe side where several scores
    /// rank, since their mean varies less than one rank does.
    pub critical_difference: Option<f64>,
    /// Images.
    pub n: usize,
}

/// How right a model is, and whether it is as sure as it should be.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Classification {
    /// Share of rows it classifies right.
    pub accuracy: Estimate,
    /// Mean of the classes' F1, with interval.
    pub macro_f1: Estimate,
    /// Scores by id, accuracy and macro F1 among them. The errors of calibration have no interval:
    /// their ends are the value.
    pub scores: BTreeMap<String, Estimate>,
    /// One per class, in the order of [`Summary::classes`].
    pub classes: Vec<ClassSummary>,
    /// Counts of label × prediction.
    pub confusion: ConfusionMatrix,
    /// Accuracy by confidence; absent where the outputs are no probabilities.
    pub calibration: Option<CalibrationSummary>,
    /// Why there is no calibration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uncalibrated: Option<String>,
    /// The surest right and wrong rows and the least sure; none without probabilities.
    pub examples: Vec<Example>,
}

/// How well a class is told from the others; `n` is what each share is of.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ClassSummary {
    /// Share of its predictions that are right.
    pub precision: Estimate,
    /// Share of its rows that are found; also called sensitivity.
    pub recall: Estimate,
    /// Share of the others' rows that are not taken for it.
    pub specificity: Estimate,
    /// Harmonic mean of precision and recall.
    pub f1: Estimate,
    /// Its rows.
    pub support: u64,
    /// Predictions of it.
    pub predicted: u64,
}

impl ClassSummary {
    /// The score named `id`, one of [`xbench_metrics::classification::CLASS_SCORES`].
    #[must_use]
    pub fn score(&self, id: &str) -> Option<Estimate> {
        match id {
            "precision" => Some(self.precision),
            "recall" | "sensitivity" => Some(self.recall),
            "specificity" => Some(self.specificity),
            "f1" => Some(self.f1),
            _ => None,
        }
    }
}

/// How often a model is right, by how sure it is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CalibrationSummary {
    /// Ranges of confidence of equal width.
    pub equal_width: Vec<ReliabilityBin>,
    /// Ranges that hold the same number of rows.
    pub equal_mass: Vec<ReliabilityBin>,
}

/// What an example is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ExampleKind {
    /// The surest of those that are right.
    Right,
    /// The surest of those that are wrong.
    Wrong,
    /// The least sure.
    Unsure,
}

impl ExampleKind {
    /// The word in tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Wrong => "wrong",
            Self::Unsure => "unsure",
        }
    }
}

/// A row that says something about a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Example {
    /// What it is one of.
    pub kind: ExampleKind,
    /// Its number in the split.
    pub row: usize,
    /// Number of its true class.
    pub label: usize,
    /// Number of the predicted class.
    pub prediction: usize,
    /// Probability of the prediction.
    pub probability: f64,
    /// The image; a table's row has none.
    #[serde(skip)]
    pub picture: Option<ExamplePicture>,
}

/// An image of an example.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExamplePicture {
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// Pixels in that order.
    pub pixels: Vec<u8>,
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
    /// Share of bootstrap resamples in which its mean rank is the best, ties shared.
    pub p_first: Option<f64>,
    /// 95% interval of its place in the order: low, high.
    pub place: Option<(f64, f64)>,
    /// Groups it belongs to, from 1; two that share one are not told apart.
    pub rank_groups: Vec<usize>,
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

/// What two maps have in common that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Pairing {
    /// One model, two explainers.
    Explainers,
    /// One explainer, two models.
    Models,
    /// One explainer, two seeds of one model.
    Seeds,
}

impl Pairing {
    /// The word in tables.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Explainers => "explainers",
            Self::Models => "models",
            Self::Seeds => "seeds",
        }
    }
}

/// Agreement in the mean over pairs, controls left out.
#[derive(Debug, Clone, Serialize)]
pub struct AgreementGroup {
    /// What is paired.
    pub pairing: Pairing,
    /// Label of the model whose explainers are paired, or of the explainer that is paired over
    /// models or seeds.
    pub of: String,
    /// Name of the class whose rows are counted; all rows where there is none.
    pub class: Option<String>,
    /// The region of the object whose pixels are compared; the whole picture where there is none.
    pub region: Option<String>,
    /// Id of the score.
    pub score: String,
    /// Pairs.
    pub pairs: usize,
    /// Mean over rows of the mean over pairs; absent where it applies to no row.
    pub value: Option<Estimate>,
}

/// The share of an explanation's positive attribution in a region of the object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RegionShare {
    /// Label of the model.
    pub model: String,
    /// Label of the explainer.
    pub explainer: String,
    /// Name of the class whose rows are counted; all rows where there is none.
    pub class: Option<String>,
    /// `outline`, `inside` or `background`.
    pub region: String,
    /// The region's own share of the image.
    pub area: Option<f64>,
    /// The share of the positive attribution; absent where no row has one.
    pub share: Option<Estimate>,
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
    /// What they have in common.
    pub pairing: Pairing,
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
    /// Name of the class it is about, if it is about one.
    pub class: Option<String>,
    /// Label of the explainer it is about, if it is about one.
    pub explainer: Option<String>,
    /// The published value.
    pub published: f64,
    /// How far from it still counts as reproduced.
    pub tolerance: f64,
    /// Ours.
    pub measured: Option<Estimate>,
    /// `reproduced` where our interval meets the published value, give or take its tolerance; else
    /// `above` or `below`, where ours lies; `not measured`.
    pub verdict: String,
    /// Why it was not measured; empty where it was.
    pub reason: String,
    /// Where it was published.
    pub source: String,
}

/// Some models' explanations against others', over the same rows.
#[derive(Debug, Clone, Serialize)]
pub struct ContrastSummary {
    /// Name of the comparison.
    pub name: String,
    /// Label of the explainer.
    pub explainer: String,
    /// Id of the score.
    pub score: String,
    /// Mean of the models.
    pub models: Option<Estimate>,
    /// Mean of those they are compared with.
    pub against: Option<Estimate>,
    /// Mean difference over the rows that both have, with its paired interval.
    pub difference: Option<Estimate>,
    /// Of a Wilcoxon signed-rank test, Holm-corrected over the comparison.
    pub p: Option<f64>,
    /// `better` or `worse` where the interval leaves out 0, else `undecided`; `not measured` where
    /// a model or explanation is missing.
    pub verdict: String,
}
