//! Scores of the model: is it right, and as sure as it should be?

use super::{Direction, Family, MODEL, ScoreInfo};

const MACRO_RULE: &str = "a class that is never predicted counts as 0; only classes absent from \
    labels and predictions alike are left out";
const WEIGHTED_RULE: &str = "a class that is never predicted counts as 0";

const fn accuracy(
    id: &'static str,
    name: &'static str,
    formula: &'static str,
    departs: &'static str,
) -> ScoreInfo {
    ScoreInfo {
        id,
        name,
        family: Family::Accuracy,
        direction: Direction::Higher,
        unit: "1",
        range: (0.0, 1.0),
        version: 1,
        citation: "",
        formula,
        departs,
        needs: MODEL,
        standard: true,
    }
}

/// A score of probabilities, of which less is better.
const fn calibration(
    id: &'static str,
    name: &'static str,
    unit: &'static str,
    highest: f64,
    citation: &'static str,
    formula: &'static str,
    departs: &'static str,
) -> ScoreInfo {
    ScoreInfo {
        id,
        name,
        family: Family::Accuracy,
        direction: Direction::Lower,
        unit,
        range: (0.0, highest),
        version: 1,
        citation,
        formula,
        departs,
        needs: MODEL,
        standard: true,
    }
}

pub(super) const SCORES: &[ScoreInfo] = &[
    accuracy("accuracy", "Accuracy", "right / n", ""),
    accuracy(
        "macro_f1",
        "Macro F1",
        "mean over classes of 2·TP / (support + predicted)",
        MACRO_RULE,
    ),
    accuracy(
        "macro_precision",
        "Macro precision",
        "mean over classes of TP / predicted",
        MACRO_RULE,
    ),
    accuracy(
        "macro_recall",
        "Macro recall (sensitivity)",
        "mean over classes of TP / support",
        MACRO_RULE,
    ),
    accuracy(
        "macro_specificity",
        "Macro specificity",
        "mean over classes of TN / (n − support)",
        MACRO_RULE,
    ),
    accuracy(
        "weighted_f1",
        "Weighted F1",
        "mean over classes of F1, weighted by support",
        WEIGHTED_RULE,
    ),
    accuracy(
        "weighted_precision",
        "Weighted precision",
        "mean over classes of precision, weighted by support",
        WEIGHTED_RULE,
    ),
    accuracy(
        "weighted_recall",
        "Weighted recall",
        "mean over classes of recall, weighted by support; equals accuracy",
        "",
    ),
    accuracy(
        "weighted_specificity",
        "Weighted specificity",
        "mean over classes of specificity, weighted by support",
        "",
    ),
    calibration(
        "log_loss",
        "Log loss",
        "nats",
        f64::INFINITY,
        "Good 1952",
        "mean of −ln p of the label; the cross-entropy of a network's logits",
        "probabilities below 2.2e-16 count as that, in double precision",
    ),
    calibration(
        "brier",
        "Brier score",
        "1",
        2.0,
        "Brier 1950",
        "mean of Σ_k (p_k − y_k)²",
        "over all classes as proposed: of two classes twice what is common for one probability",
    ),
    calibration(
        "ece",
        "Expected calibration error",
        "1",
        1.0,
        "Guo et al. 2017",
        "Σ_b n_b / n · |accuracy − confidence| over 15 ranges of confidence of equal width",
        "",
    ),
    calibration(
        "adaptive_ece",
        "Adaptive calibration error",
        "1",
        1.0,
        "Nguyen and O'Connor 2015; Nixon et al. 2019",
        "as ece, over 15 ranges that hold the same number of examples",
        "of the predicted class alone; tied examples share what is right among them",
    ),
    calibration(
        "mce",
        "Maximum calibration error",
        "1",
        1.0,
        "Guo et al. 2017",
        "max over the ranges of ece of |accuracy − confidence|",
        "",
    ),
];
