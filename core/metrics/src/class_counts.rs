//! How well each class is told from the others, from three counts per class.
//!
//! Division by zero: precision of a class never predicted, recall of a class that never
//! occurs, specificity where nothing else occurs, and F1 with neither hits nor errors are 0, and
//! count as 0 in means. Only a class that occurs neither among labels nor among predictions is
//! left out of the means, for the data say nothing about it. This is scikit-learn's
//! `zero_division=0` without `labels=`.

use serde::{Deserialize, Serialize};

use crate::not_applicable::finite;
use crate::{NotApplicable, Score};

/// Names of the scores of a class; recall has two.
pub const CLASS_SCORES: [&str; 5] = ["precision", "recall", "sensitivity", "specificity", "f1"];

/// How well one class is told from the others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Share of the class's predictions that are right, in 0..=1.
    pub precision: f64,
    /// Share of the class's examples that are found, in 0..=1; also called sensitivity.
    pub recall: f64,
    /// Share of the other classes' examples that are not taken for this class, in 0..=1.
    pub specificity: f64,
    /// Harmonic mean of precision and recall: `2·hits / (support + predicted)`, in 0..=1.
    pub f1: f64,
    /// Examples with this label.
    pub support: u64,
    /// Predictions of this class.
    pub predicted: u64,
}

impl ClassScores {
    /// The score named `id`, one of [`CLASS_SCORES`]; `None` for another.
    #[must_use]
    pub fn score(&self, id: &str) -> Option<f64> {
        match id {
            "precision" => Some(self.precision),
            "recall" | "sensitivity" => Some(self.recall),
            "specificity" => Some(self.specificity),
            "f1" => Some(self.f1),
            _ => None,
        }
    }
}

/// A mean of class scores over the classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassAverages {
    /// Mean precision, in 0..=1.
    pub precision: f64,
    /// Mean recall, in 0..=1.
    pub recall: f64,
    /// Mean specificity, in 0..=1.
    pub specificity: f64,
    /// Mean of the classes' F1, in 0..=1 (not the F1 of the means).
    pub f1: f64,
}

/// Per class: examples with this label, predictions of it, and how many are both. All of the
/// scores of a classifier follow from these, at a cost that does not grow with the square of the
/// classes, so that a bootstrap may count anew for every resample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassCounts {
    support: Vec<u64>,
    predicted: Vec<u64>,
    hits: Vec<u64>,
}

impl ClassCounts {
    pub(crate) fn from_parts(support: Vec<u64>, predicted: Vec<u64>, hits: Vec<u64>) -> Self {
        Self {
            support,
            predicted,
            hits,
        }
    }

    /// Counts a resample in which example i occurs `weights[i]` times.
    ///
    /// # Errors
    /// [`NotApplicable::LengthMismatch`], [`NotApplicable::ClassOutOfRange`] for an index that is
    /// not below `classes`.
    pub fn weighted(
        labels: &[usize],
        predictions: &[usize],
        classes: usize,
        weights: &[u8],
    ) -> Result<Self, NotApplicable> {
        if labels.len() != predictions.len() || labels.len() != weights.len() {
            return Err(NotApplicable::LengthMismatch);
        }
        let mut counts = Self::from_parts(vec![0; classes], vec![0; classes], vec![0; classes]);
        for ((&label, &prediction), &weight) in labels.iter().zip(predictions).zip(weights) {
            if label >= classes || prediction >= classes {
                return Err(NotApplicable::ClassOutOfRange);
            }
            let weight = u64::from(weight);
            counts.support[label] += weight;
            counts.predicted[prediction] += weight;
            if label == prediction {
                counts.hits[label] += weight;
            }
        }
        Ok(counts)
    }

    /// The number of examples.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.support.iter().sum()
    }

    /// Share of examples whose prediction is their label, in 0..=1.
    ///
    /// # Errors
    /// [`NotApplicable::Empty`] without examples.
    pub fn accuracy(&self) -> Score {
        match self.total() {
            0 => Err(NotApplicable::Empty),
            total => finite(self.hits.iter().sum::<u64>() as f64 / total as f64),
        }
    }

    /// The scores of each class, by class index.
    #[must_use]
    pub fn per_class(&self) -> Vec<ClassScores> {
        let share = |part: u64, whole: u64| {
            if whole == 0 {
                0.0
            } else {
                part as f64 / whole as f64
            }
        };
        let total = self.total();
        let classes = self.support.iter().zip(&self.predicted).zip(&self.hits);
        classes
            .map(|((&support, &predicted), &hits)| {
                let others = total - support;
                ClassScores {
                    precision: share(hits, predicted),
                    recall: share(hits, support),
                    specificity: share(others - (predicted - hits), others),
                    f1: share(2 * hits, support + predicted),
                    support,
                    predicted,
                }
            })
            .collect()
    }

    /// The plain mean over the classes that occur among labels or predictions.
    #[must_use]
    pub fn macro_average(&self) -> ClassAverages {
        self.average(|class| f64::from(u8::from(class.support + class.predicted > 0)))
    }

    /// The mean over the classes weighted by support; its recall is the accuracy.
    #[must_use]
    pub fn weighted_average(&self) -> ClassAverages {
        self.average(|class| class.support as f64)
    }

    /// The score with catalogue id `id`; `None` for an id that is not one of these counts.
    #[must_use]
    pub fn score(&self, id: &str) -> Option<Score> {
        let value = match id {
            "accuracy" => return Some(self.accuracy()),
            "macro_f1" => self.macro_average().f1,
            "macro_precision" => self.macro_average().precision,
            "macro_recall" => self.macro_average().recall,
            "macro_specificity" => self.macro_average().specificity,
            "weighted_f1" => self.weighted_average().f1,
            "weighted_precision" => self.weighted_average().precision,
            "weighted_recall" => self.weighted_average().recall,
            "weighted_specificity" => self.weighted_average().specificity,
            _ => return None,
        };
        Some(if self.total() == 0 {
            Err(NotApplicable::Empty)
        } else {
            finite(value)
        })
    }

    fn average(&self, weight: impl Fn(&ClassScores) -> f64) -> ClassAverages {
        let mut sums = ClassAverages {
            precision: 0.0,
            recall: 0.0,
            specificity: 0.0,
            f1: 0.0,
        };
        let mut total = 0.0;
        for class in self.per_class() {
            let weight = weight(&class);
            sums.precision += weight * class.precision;
            sums.recall += weight * class.recall;
            sums.specificity += weight * class.specificity;
            sums.f1 += weight * class.f1;
            total += weight;
        }
        if total > 0.0 {
            sums.precision /= total;
            sums.recall /= total;
            sums.specificity /= total;
            sums.f1 /= total;
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    // labels 0 0 0 1 1 2, class 3 absent; predictions 0 0 1 1 0 1
    const LABELS: [usize; 6] = [0, 0, 0, 1, 1, 2];
    const PREDICTIONS: [usize; 6] = [0, 0, 1, 1, 0, 1];

    fn counts() -> ClassCounts {
        ClassCounts::weighted(&LABELS, &PREDICTIONS, 4, &[1; 6]).unwrap()
    }

    #[test]
    fn specificity_by_hand() {
        let classes = counts().per_class();
        // 3 others, one taken for class 0; 4 others, two taken for class 1; 5 others, none.
        assert!(close(classes[0].specificity, 2.0 / 3.0));
        assert!(close(classes[1].specificity, 0.5));
        assert!(close(classes[2].specificity, 1.0));
        // Class 3 is in neither, and left out of the mean.
        let mean = (2.0 / 3.0 + 0.5 + 1.0) / 3.0;
        assert_eq!(counts().score("macro_specificity"), Some(Ok(mean)));
        let weighted = (3.0 * 2.0 / 3.0 + 2.0 * 0.5 + 1.0) / 6.0;
        assert!(close(counts().weighted_average().specificity, weighted));
    }

    #[test]
    fn one_class_alone_has_no_specificity() {
        let counts = ClassCounts::weighted(&[0, 0], &[0, 0], 1, &[1, 1]).unwrap();
        assert_eq!(counts.per_class()[0].specificity, 0.0);
    }

    #[test]
    fn a_resample_counts_examples_as_often_as_it_holds_them() {
        let weights = [2, 0, 1, 0, 3, 0];
        let counted = ClassCounts::weighted(&LABELS, &PREDICTIONS, 4, &weights).unwrap();
        // The examples written out: 0→0 twice, 0→1 once, 1→0 three times.
        let labels = [0, 0, 0, 1, 1, 1];
        let predictions = [0, 0, 1, 0, 0, 0];
        assert_eq!(
            counted,
            ClassCounts::weighted(&labels, &predictions, 4, &[1; 6]).unwrap()
        );
    }

    #[test]
    fn what_is_empty_or_wrong_is_refused() {
        let empty = ClassCounts::weighted(&LABELS, &PREDICTIONS, 4, &[0; 6]).unwrap();
        assert_eq!(empty.score("macro_f1"), Some(Err(NotApplicable::Empty)));
        assert_eq!(empty.accuracy(), Err(NotApplicable::Empty));
        assert_eq!(
            ClassCounts::weighted(&[0], &[4], 4, &[1]),
            Err(NotApplicable::ClassOutOfRange)
        );
        assert_eq!(
            ClassCounts::weighted(&[0], &[0], 4, &[]),
            Err(NotApplicable::LengthMismatch)
        );
        assert_eq!(empty.score("gini"), None);
    }

    #[test]
    fn class_scores_are_found_by_name() {
        let class = counts().per_class()[0];
        assert_eq!(class.score("sensitivity"), Some(class.recall));
        assert_eq!(class.score("specificity"), Some(class.specificity));
        assert_eq!(class.score("accuracy"), None);
        assert!(CLASS_SCORES.iter().all(|id| class.score(id).is_some()));
    }
}
