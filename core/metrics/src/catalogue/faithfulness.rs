//! Scores of a map against the model: does it react to what the map points at?

use super::{Direction, Family, MODEL, PLAIN, ScoreInfo, UNBOUNDED};

const CURVE_RULE: &str = "scaled per image by the drop from image to baseline, both end points \
    included, ties in a random order; no score where the baseline is as sure of the class as the \
    image; implementations that sum over steps give areas that grow with the number of steps";

pub(super) const SCORES: &[ScoreInfo] = &[
    ScoreInfo {
        id: "local_fit",
        name: "Fit of the local surrogate",
        family: Family::Faithfulness,
        direction: Direction::None,
        unit: "1",
        range: (f64::NEG_INFINITY, 1.0),
        version: 1,
        citation: "Ribeiro et al. 2016",
        formula: "R² of the weighted linear model on the samples it was fitted to",
        departs: "told by the explainer itself; describes and does not rank, since only methods with \
            a surrogate have it",
        needs: PLAIN,
        standard: true,
    },
    ScoreInfo {
        id: "deletion_auc",
        name: "Deletion AUC",
        family: Family::Faithfulness,
        direction: Direction::Lower,
        unit: "1",
        range: UNBOUNDED,
        version: 1,
        citation: "Petsiuk et al. 2018",
        formula: "∫ (f_q − f_b) / (f_0 − f_b) dq, the share q of highest pixels set to baseline",
        departs: CURVE_RULE,
        needs: MODEL,
        standard: true,
    },
    ScoreInfo {
        id: "insertion_auc",
        name: "Insertion AUC",
        family: Family::Faithfulness,
        direction: Direction::Higher,
        unit: "1",
        range: UNBOUNDED,
        version: 1,
        citation: "Petsiuk et al. 2018",
        formula: "∫ (f_q − f_b) / (f_0 − f_b) dq, the share q of highest pixels restored",
        departs: CURVE_RULE,
        needs: MODEL,
        standard: true,
    },
    ScoreInfo {
        id: "faithfulness_correlation",
        name: "Faithfulness correlation",
        family: Family::Faithfulness,
        direction: Direction::Higher,
        unit: "1",
        range: (-1.0, 1.0),
        version: 1,
        citation: "Bhatt et al. 2020",
        formula: "Pearson over random S of Σ_S a with f(x) − f(x[S→b])",
        departs: "all explainers of an image share the subsets; no score where outcomes or sums \
            do not vary",
        needs: MODEL,
        standard: true,
    },
];
