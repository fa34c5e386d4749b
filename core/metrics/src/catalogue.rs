//! What each score is: the one table that suites, records, reports and documentation read.
//!
//! A score's `version` rises whenever its value on the same input changes, since results are
//! identified by it.

use serde::{Deserialize, Serialize};

/// The question a score answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Is the model right, and as sure as it should be?
    Accuracy,
    /// Does the map lie where the mask does?
    Localisation,
    /// Does the model react to what the map points at?
    Faithfulness,
    /// Do two maps say the same?
    Agreement,
    /// How few pixels carry the map?
    Complexity,
    /// What does it cost?
    Cost,
}

/// Which way is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Higher values are better.
    Higher,
    /// Lower values are better.
    Lower,
    /// The score describes and does not rank.
    None,
}

/// What a score needs beside the map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needs {
    /// A mask of the object.
    pub mask: bool,
    /// Calls to the model, beyond those the explainer makes.
    pub model: bool,
}

/// A catalogue entry.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ScoreInfo {
    /// Stable name in suites, records and tables.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// The question it answers.
    pub family: Family,
    /// Which way is better.
    pub direction: Direction,
    /// Unit; `"1"` for a pure number.
    pub unit: &'static str,
    /// Least and greatest possible value; infinite where there is none.
    pub range: (f64, f64),
    /// Rises whenever the value on the same input changes.
    pub version: u32,
    /// Where it was proposed; empty where there is no one source.
    pub citation: &'static str,
    /// What is computed.
    pub formula: &'static str,
    /// How it differs from the source or from common implementations; empty where it does not.
    pub departs: &'static str,
    /// What it needs beside the map.
    pub needs: Needs,
}

/// All scores, families together, in table order.
#[must_use]
pub fn catalogue() -> &'static [ScoreInfo] {
    &CATALOGUE
}

/// The score with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static ScoreInfo> {
    CATALOGUE.iter().find(|score| score.id == id)
}

const PLAIN: Needs = Needs {
    mask: false,
    model: false,
};
const MASK: Needs = Needs {
    mask: true,
    model: false,
};
const MODEL: Needs = Needs {
    mask: false,
    model: true,
};
const UNBOUNDED: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
const NOT_NEGATIVE: (f64, f64) = (0.0, f64::INFINITY);

const MACRO_RULE: &str = "a class that is never predicted counts as 0; only classes absent from \
    labels and predictions alike are left out";
const WEIGHTED_RULE: &str = "a class that is never predicted counts as 0";
const CURVE_RULE: &str = "scaled per image by the drop from image to baseline, both end points \
    included, ties in a random order; no score where the baseline is as sure of the class as the \
    image; implementations that sum over steps give areas that grow with the number of steps";

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
    }
}

const fn localisation(
    id: &'static str,
    name: &'static str,
    citation: &'static str,
    formula: &'static str,
    departs: &'static str,
) -> ScoreInfo {
    ScoreInfo {
        id,
        name,
        family: Family::Localisation,
        direction: Direction::Higher,
        unit: "1",
        range: (0.0, 1.0),
        version: 1,
        citation,
        formula,
        departs,
        needs: MASK,
    }
}

const fn cost(
    id: &'static str,
    name: &'static str,
    unit: &'static str,
    formula: &'static str,
) -> ScoreInfo {
    ScoreInfo {
        id,
        name,
        family: Family::Cost,
        direction: Direction::Lower,
        unit,
        range: NOT_NEGATIVE,
        version: 1,
        citation: "",
        formula,
        departs: "",
        needs: PLAIN,
    }
}

static CATALOGUE: [ScoreInfo; 32] = [
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
    localisation(
        "relevance_mass",
        "Relevance mass",
        "Arras et al. 2021; Wang et al. 2020",
        "Σ_M a⁺ / Σ a⁺",
        "positive part only: with signed attributions the ratio leaves 0..1 and explodes where \
         they cancel",
    ),
    localisation(
        "relevance_rank",
        "Relevance rank",
        "Arras et al. 2021",
        "|top-|M| of a ∩ M| / |M|",
        "expected value over the order of ties, commonly broken by pixel number",
    ),
    localisation(
        "pointing_game",
        "Pointing game",
        "Zhang et al. 2018",
        "share of the highest pixels that lie in M",
        "tied maxima share the point, commonly any one inside is a hit; no tolerance margin",
    ),
    localisation(
        "auroc",
        "AUROC",
        "Fawcett 2006",
        "P(a inside M > a outside M), ties one half",
        "",
    ),
    localisation(
        "auprc",
        "AUPRC",
        "Davis and Goadrich 2006",
        "mean over the pixels of M of the precision at their rank",
        "expected value over the order of ties, commonly a tie group is one threshold; steps, not \
         trapezoids",
    ),
    localisation(
        "iou_at_mask",
        "IoU at mask size",
        "Jaccard 1912",
        "|A ∩ M| / |A ∪ M|, A the |M| highest pixels",
        "expected value over the order of ties",
    ),
    localisation(
        "best_iou",
        "Best IoU",
        "Jaccard 1912",
        "max over t of |{a ≥ t} ∩ M| / |{a ≥ t} ∪ M|",
        "thresholds between distinct values only; optimistic, since the threshold is chosen with \
         the mask",
    ),
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
    },
    ScoreInfo {
        id: "spearman",
        name: "Rank correlation",
        family: Family::Agreement,
        direction: Direction::None,
        unit: "1",
        range: (-1.0, 1.0),
        version: 1,
        citation: "Spearman 1904; Krishna et al. 2022",
        formula: "Pearson of the average ranks of two maps",
        departs: "ties by average ranks; by ordinal ranks shared zeros agree by pixel number",
        needs: PLAIN,
    },
    ScoreInfo {
        id: "top_k_overlap",
        name: "Top-k overlap",
        family: Family::Agreement,
        direction: Direction::None,
        unit: "1",
        range: (0.0, 1.0),
        version: 1,
        citation: "Krishna et al. 2022",
        formula: "|T_k(a) ∩ T_k(b)| / k, T_k the k highest |a|; chance k/d",
        departs: "expected value over independent orders of the ties of both maps",
        needs: PLAIN,
    },
    ScoreInfo {
        id: "gini",
        name: "Sparseness (Gini)",
        family: Family::Complexity,
        direction: Direction::None,
        unit: "1",
        range: (0.0, 1.0),
        version: 1,
        citation: "Chalasani et al. 2020",
        formula: "Σ_i (2i − d − 1)·|a|_(i) / (d·Σ|a|)",
        departs: "no constant added to |a|; a map of zeros has no score; describes and does not \
            rank, as a map of one arbitrary pixel would win",
        needs: PLAIN,
    },
    ScoreInfo {
        id: "entropy",
        name: "Entropy",
        family: Family::Complexity,
        direction: Direction::None,
        unit: "1",
        range: (0.0, 1.0),
        version: 1,
        citation: "Bhatt et al. 2020",
        formula: "−Σ p ln p / ln d, p = |a| / Σ|a|",
        departs: "divided by ln d, so that image sizes compare; describes and does not rank",
        needs: PLAIN,
    },
    cost(
        "forward_rows",
        "Forward rows",
        "rows",
        "rows the explainer sent forward through the model, per image",
    ),
    cost(
        "backward_rows",
        "Backward rows",
        "rows",
        "rows the explainer sent backward through the model, per image",
    ),
    cost(
        "ms_per_image",
        "Time",
        "ms",
        "wall time of the explainer per image",
    ),
    cost(
        "peak_memory",
        "Peak memory",
        "bytes",
        "greatest memory of the worker process",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_unique_words() {
        for (place, score) in catalogue().iter().enumerate() {
            assert!(
                score
                    .id
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'),
                "{}",
                score.id
            );
            assert_eq!(
                catalogue().iter().position(|other| other.id == score.id),
                Some(place)
            );
            assert_eq!(find(score.id), Some(score));
            assert!(score.range.0 < score.range.1 && !score.formula.is_empty());
        }
        assert_eq!(find("no_such_score"), None);
    }

    #[test]
    fn mask_scores_and_their_functions_agree() {
        let map = crate::RankedMap::new(&[3.0, 1.0, 2.0]).unwrap();
        let mask = [true, false, false];
        for score in catalogue() {
            let here = score.family == Family::Localisation;
            assert_eq!(score.needs.mask, here, "{}", score.id);
            assert_eq!(
                crate::localisation::score(score.id, &map, &mask).is_some(),
                here
            );
        }
    }

    #[test]
    fn accuracy_scores_and_their_functions_agree() {
        let matrix = crate::classification::ConfusionMatrix::new(&[0, 1], &[0, 0], 2).unwrap();
        let calibration =
            crate::calibration::Calibration::new(&[0.9, 0.1, 0.8, 0.2], &[0, 1], 2).unwrap();
        for score in catalogue() {
            let counted = matrix.score(score.id).is_some();
            let of_probabilities = calibration.score(score.id).is_some();
            let here = score.family == Family::Accuracy;
            assert_eq!(counted || of_probabilities, here, "{}", score.id);
            assert!(!(counted && of_probabilities), "{}", score.id);
        }
    }
}
