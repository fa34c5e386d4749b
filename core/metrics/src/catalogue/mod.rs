//! What each score is: the one table that suites, records, reports and documentation read.
//!
//! A score's `version` rises whenever its value on the same input changes, since results are
//! identified by it.

mod accuracy;
mod agreement;
mod axiomatic;
mod complexity;
mod cost;
mod faithfulness;
mod localisation;
mod randomisation;
mod robustness;

use std::sync::LazyLock;

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
    /// Does the map stay when the input hardly changes?
    Robustness,
    /// Does the map depend on what the model learnt?
    Randomisation,
    /// Does the map fulfil what its method promises?
    Axiomatic,
    /// What does it cost?
    Cost,
}

impl Family {
    /// All families, in table order.
    pub const ALL: [Self; 9] = [
        Self::Accuracy,
        Self::Localisation,
        Self::Faithfulness,
        Self::Axiomatic,
        Self::Robustness,
        Self::Randomisation,
        Self::Agreement,
        Self::Complexity,
        Self::Cost,
    ];

    /// The family as a word for suites and tables, such as `faithfulness`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::Localisation => "localisation",
            Self::Faithfulness => "faithfulness",
            Self::Agreement => "agreement",
            Self::Complexity => "complexity",
            Self::Robustness => "robustness",
            Self::Randomisation => "randomisation",
            Self::Axiomatic => "axiomatic",
            Self::Cost => "cost",
        }
    }

    /// Has a score of this family a value for each explained image?
    #[must_use]
    pub fn per_explanation(self) -> bool {
        match self {
            Family::Localisation
            | Family::Faithfulness
            | Family::Complexity
            | Family::Robustness
            | Family::Randomisation
            | Family::Axiomatic => true,
            Family::Accuracy | Family::Agreement | Family::Cost => false,
        }
    }
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
    /// The explainer, to explain other rows or another model with it.
    pub explainer: bool,
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
    /// Is it among the scores of a suite that says `scores: standard`?
    pub standard: bool,
}

/// All scores, families together, in table order.
#[must_use]
pub fn catalogue() -> &'static [ScoreInfo] {
    static CATALOGUE: LazyLock<Vec<ScoreInfo>> = LazyLock::new(|| {
        [
            accuracy::SCORES,
            localisation::SCORES,
            faithfulness::SCORES,
            axiomatic::SCORES,
            robustness::SCORES,
            randomisation::SCORES,
            agreement::SCORES,
            complexity::SCORES,
            cost::SCORES,
        ]
        .concat()
    });
    &CATALOGUE
}

/// The score with this id.
#[must_use]
pub fn find(id: &str) -> Option<&'static ScoreInfo> {
    catalogue().iter().find(|score| score.id == id)
}

const PLAIN: Needs = Needs {
    mask: false,
    model: false,
    explainer: false,
};
const MASK: Needs = Needs {
    mask: true,
    model: false,
    explainer: false,
};
const MODEL: Needs = Needs {
    mask: false,
    model: true,
    explainer: false,
};
const EXPLAINER: Needs = Needs {
    mask: false,
    model: true,
    explainer: true,
};
const UNBOUNDED: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
const NOT_NEGATIVE: (f64, f64) = (0.0, f64::INFINITY);

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
            let here = score.family == Family::Localisation
                && crate::localisation::known_region(score.id).is_none()
                && score.id != crate::localisation::FOCUS;
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
