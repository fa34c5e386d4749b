//! Is the classifier right? Confusion matrix and what is read off it.

use serde::{Deserialize, Serialize};

pub use crate::class_counts::{CLASS_SCORES, ClassAverages, ClassCounts, ClassScores};
use crate::{NotApplicable, Score};

/// Counts of examples by label (row) and prediction (column).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// Counts `labels` against `predictions`, both of one class index per example.
    ///
    /// # Errors
    /// [`NotApplicable::LengthMismatch`], [`NotApplicable::Empty`] without examples,
    /// [`NotApplicable::ClassOutOfRange`] for an index that is not below `classes`.
    pub fn new(
        labels: &[usize],
        predictions: &[usize],
        classes: usize,
    ) -> Result<Self, NotApplicable> {
        if labels.len() != predictions.len() {
            return Err(NotApplicable::LengthMismatch);
        }
        if labels.is_empty() {
            return Err(NotApplicable::Empty);
        }
        let mut counts = vec![0; classes * classes];
        for (&label, &prediction) in labels.iter().zip(predictions) {
            if label >= classes || prediction >= classes {
                return Err(NotApplicable::ClassOutOfRange);
            }
            counts[label * classes + prediction] += 1;
        }
        Ok(Self { classes, counts })
    }

    /// The number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The counts, row by row: `counts()[label * classes() + prediction]`.
    #[must_use]
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The number of examples.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each row divided by its class's support, laid out as [`Self::counts`]; `None` in the rows
    /// of classes without examples.
    #[must_use]
    pub fn row_normalised(&self) -> Vec<Option<f64>> {
        self.counts
            .chunks_exact(self.classes.max(1))
            .flat_map(|row| {
                let support: u64 = row.iter().sum();
                row.iter()
                    .map(move |&count| (support > 0).then(|| count as f64 / support as f64))
            })
            .collect()
    }

    /// The counts per class, from which all scores follow.
    #[must_use]
    pub fn class_counts(&self) -> ClassCounts {
        let side = self.classes;
        let row = |class: usize| self.counts[class * side..(class + 1) * side].iter().sum();
        let column = |class: usize| self.counts[class..].iter().step_by(side).sum();
        ClassCounts::from_parts(
            (0..side).map(row).collect(),
            (0..side).map(column).collect(),
            self.counts.iter().step_by(side + 1).copied().collect(),
        )
    }

    /// Share of examples whose prediction is their label, in 0..=1.
    ///
    /// # Errors
    /// None for a matrix from [`Self::new`]; [`NotApplicable::Empty`] for one read from a file
    /// without counts.
    pub fn accuracy(&self) -> Score {
        self.class_counts().accuracy()
    }

    /// The scores of each class, by class index.
    #[must_use]
    pub fn per_class(&self) -> Vec<ClassScores> {
        self.class_counts().per_class()
    }

    /// The plain mean over the classes that occur among labels or predictions.
    #[must_use]
    pub fn macro_average(&self) -> ClassAverages {
        self.class_counts().macro_average()
    }

    /// The mean over the classes weighted by support; its recall is the accuracy.
    #[must_use]
    pub fn weighted_average(&self) -> ClassAverages {
        self.class_counts().weighted_average()
    }

    /// The score with catalogue id `id`; `None` for an id that takes more than these counts.
    #[must_use]
    pub fn score(&self, id: &str) -> Option<Score> {
        self.class_counts().score(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // labels 0 0 0 1 1 2, class 3 absent; predictions 0 0 1 1 0 1
    fn matrix() -> ConfusionMatrix {
        ConfusionMatrix::new(&[0, 0, 0, 1, 1, 2], &[0, 0, 1, 1, 0, 1], 4).unwrap()
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn counts_and_rows() {
        let matrix = matrix();
        assert_eq!(
            matrix.counts(),
            [2, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
        );
        let rows = matrix.row_normalised();
        assert_eq!(rows[0], Some(2.0 / 3.0));
        assert_eq!(rows[9], Some(1.0));
        assert!(rows[12..].iter().all(Option::is_none));
    }

    #[test]
    fn per_class_by_hand() {
        let classes = matrix().per_class();
        assert!(close(classes[0].precision, 2.0 / 3.0) && close(classes[0].recall, 2.0 / 3.0));
        assert!(close(classes[0].f1, 2.0 / 3.0));
        assert!(close(classes[1].precision, 1.0 / 3.0) && close(classes[1].recall, 0.5));
        assert!(close(classes[1].f1, 0.4));
        // never predicted: zero, and counted
        assert_eq!(
            (classes[2].precision, classes[2].recall, classes[2].f1),
            (0.0, 0.0, 0.0)
        );
        assert_eq!((classes[2].support, classes[2].predicted), (1, 0));
    }

    #[test]
    fn averages_by_hand() {
        // from sklearn.metrics import precision_recall_fscore_support as p
        // p([0,0,0,1,1,2],[0,0,1,1,0,1],average='macro',zero_division=0)
        let macros = matrix().macro_average();
        assert!(close(macros.precision, 1.0 / 3.0));
        assert!(close(macros.recall, (2.0 / 3.0 + 0.5) / 3.0));
        assert!(close(macros.f1, (2.0 / 3.0 + 0.4) / 3.0));
        let weighted = matrix().weighted_average();
        assert!(close(
            weighted.precision,
            (3.0 * 2.0 / 3.0 + 2.0 / 3.0) / 6.0
        ));
        assert!(close(weighted.recall, 0.5));
        assert!(close(weighted.f1, (3.0 * 2.0 / 3.0 + 2.0 * 0.4) / 6.0));
        assert!(close(matrix().accuracy().unwrap(), 0.5));
        assert_eq!(matrix().score("macro_f1"), Some(Ok(macros.f1)));
        assert_eq!(matrix().score("gini"), None);
    }

    #[test]
    fn bad_tables_are_refused() {
        assert_eq!(
            ConfusionMatrix::new(&[0], &[], 2),
            Err(NotApplicable::LengthMismatch)
        );
        assert_eq!(ConfusionMatrix::new(&[], &[], 2), Err(NotApplicable::Empty));
        assert_eq!(
            ConfusionMatrix::new(&[0], &[2], 2),
            Err(NotApplicable::ClassOutOfRange)
        );
    }
}
