//! What the rows of the tables hold.

use xbench_stats::Interval;

use crate::record::Status;

/// A row of `leaderboard.csv`: one model with one explainer.
#[derive(Debug, Clone, PartialEq)]
pub struct LeaderboardRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// Label of the explainer.
    pub explainer: String,
    /// How the cell ended.
    pub status: Status,
    /// Images explained.
    pub n: usize,
    /// Scores in the order of the table's columns; `None` where a score has no value.
    pub scores: Vec<Option<Interval>>,
    /// Mean rank over the ranking scores and images; 1 is best.
    pub mean_rank: Option<f64>,
    /// Group of explainers that the data do not tell apart; 1 is best.
    pub rank_group: Option<usize>,
    /// Rows sent forward through the model per image.
    pub forward_rows: Option<f64>,
    /// Rows sent backward per image.
    pub backward_rows: Option<f64>,
    /// Median time per image in milliseconds.
    pub ms_per_image: Option<f64>,
}

/// A row of `models.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// Recipe of its weights.
    pub preset: Option<String>,
    /// Images classified.
    pub n: usize,
    /// Accuracy.
    pub accuracy: Option<Interval>,
    /// Macro-averaged F1.
    pub macro_f1: Option<Interval>,
    /// Macro-averaged precision.
    pub macro_precision: Option<f64>,
    /// Macro-averaged recall.
    pub macro_recall: Option<f64>,
    /// F1 weighted by support.
    pub weighted_f1: Option<f64>,
    /// Precision weighted by support.
    pub weighted_precision: Option<f64>,
    /// Recall weighted by support.
    pub weighted_recall: Option<f64>,
    /// Fingerprint of the weights, hexadecimal; empty if not known.
    pub parameters_fingerprint: String,
    /// Macro-averaged specificity.
    pub macro_specificity: Option<f64>,
    /// Specificity weighted by support.
    pub weighted_specificity: Option<f64>,
    /// Log loss in nats.
    pub log_loss: Option<Interval>,
    /// Brier score, 0 to 2.
    pub brier: Option<Interval>,
    /// Expected calibration error in bins of equal width.
    pub ece: Option<f64>,
    /// Expected calibration error in bins of equal mass.
    pub adaptive_ece: Option<f64>,
    /// Maximum calibration error.
    pub mce: Option<f64>,
}

/// A row of `agreement.csv`: two maps of the same images.
#[derive(Debug, Clone, PartialEq)]
pub struct AgreementRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the first model.
    pub model_a: String,
    /// Label of the first explainer.
    pub explainer_a: String,
    /// Label of the second model.
    pub model_b: String,
    /// Label of the second explainer.
    pub explainer_b: String,
    /// Id of the score.
    pub score: String,
    /// Its mean with the interval; `None` where it applies to no image.
    pub value: Option<Interval>,
}

/// What a published figure is beside the measured one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The measured interval meets the published figure, give or take its tolerance.
    Reproduced,
    /// The measured interval lies above it.
    Above,
    /// The measured interval lies below it.
    Below,
    /// Nothing was measured.
    NotMeasured,
}

impl Verdict {
    /// The verdict on `published`, give or take `tolerance`, for what was measured.
    #[must_use]
    pub fn of(published: f64, tolerance: f64, measured: Option<Interval>) -> Self {
        match measured {
            None => Self::NotMeasured,
            Some(interval) if interval.low > published + tolerance => Self::Above,
            Some(interval) if interval.high < published - tolerance => Self::Below,
            Some(_) => Self::Reproduced,
        }
    }

    /// The word in the table.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Reproduced => "reproduced",
            Self::Above => "above",
            Self::Below => "below",
            Self::NotMeasured => "not measured",
        }
    }
}

/// A row of `reproduction.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct ReproductionRow {
    /// Name of the suite.
    pub suite: String,
    /// Label of the model.
    pub model: String,
    /// Recipe of its weights.
    pub preset: Option<String>,
    /// Id of the score.
    pub score: String,
    /// The published value.
    pub published: f64,
    /// What was measured; for a score without interval, low and high equal the mean.
    pub measured: Option<Interval>,
    /// Where it was published.
    pub source: String,
    /// The class it is about, if it is about one.
    pub class: Option<String>,
    /// The split it was measured on.
    pub split: String,
    /// Label of the explainer it is about, if it is about one.
    pub explainer: Option<String>,
    /// How far from the published value still counts as reproduced.
    pub tolerance: f64,
    /// Why it was not measured; empty where it was.
    pub reason: String,
}

/// A row of `classes.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// Name of the class.
    pub class: String,
    /// Precision.
    pub precision: Option<Interval>,
    /// Recall, also called sensitivity.
    pub recall: Option<Interval>,
    /// F1.
    pub f1: Option<Interval>,
    /// Images of the class.
    pub support: u64,
    /// Specificity.
    pub specificity: Option<Interval>,
}

/// A row of `calibration.csv`: the examples whose confidence lies in one range.
#[derive(Debug, Clone, PartialEq)]
pub struct CalibrationRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// How the ranges were chosen: `equal_width` or `equal_mass`.
    pub binning: &'static str,
    /// Lower end of the range.
    pub low: f64,
    /// Upper end of the range.
    pub high: f64,
    /// Examples in it.
    pub count: u64,
    /// Their mean confidence; `None` without examples.
    pub confidence: Option<f64>,
    /// Share of them that are right; `None` without examples.
    pub accuracy: Option<f64>,
}

/// A row of `examples.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExampleRow {
    /// Name of the data set.
    pub dataset: String,
    /// Label of the model.
    pub model: String,
    /// `right`, `wrong` or `unsure`.
    pub kind: &'static str,
    /// Its number in the split.
    pub row: usize,
    /// Name of its true class.
    pub label: String,
    /// Name of the predicted class.
    pub prediction: String,
    /// Probability of the prediction.
    pub probability: f64,
}
