//! Is the classifier as sure as it should be? Calibration of its probabilities, and proper
//! scores of them.
//!
//! The confidence of an example is the probability of its predicted class. A calibrated model is
//! right in 80% of the examples in which it is 80% sure (Guo et al. 2017). Log loss and Brier
//! score judge the whole distribution, and are least for the true one.

use serde::{Deserialize, Serialize};

use crate::not_applicable::finite;
use crate::{NotApplicable, Score};

/// Bins of calibration errors unless asked otherwise, as in Guo et al. 2017.
pub const DEFAULT_BINS: usize = 15;
/// How far the probabilities of an example may sum beside 1: single precision over many classes.
const SUM_TOLERANCE: f64 = 1e-3;

/// The examples whose confidence lies in one range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Lower end of the range, excluded (but for confidence 0 in the first of equal width).
    pub low: f64,
    /// Upper end of the range, included.
    pub high: f64,
    /// Examples in it.
    pub count: u64,
    /// Their mean confidence, in 0..=1; 0 where there are none.
    pub confidence: f64,
    /// Share of them that are right, in 0..=1; 0 where there are none.
    pub accuracy: f64,
}

impl ReliabilityBin {
    /// Accuracy less confidence: below zero where the model is too sure.
    #[must_use]
    pub fn gap(&self) -> f64 {
        self.accuracy - self.confidence
    }
}

/// The probabilities of a classifier beside the labels, example by example.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    prediction: Vec<usize>,
    confidence: Vec<f64>,
    right: Vec<bool>,
    log_loss: Vec<f64>,
    brier: Vec<f64>,
}

impl Calibration {
    /// Reads `probabilities`, `[n, classes]` row by row, beside one label per example. The first
    /// of equal probabilities is the prediction.
    ///
    /// # Errors
    /// [`NotApplicable::LengthMismatch`], [`NotApplicable::Empty`] without examples or classes,
    /// [`NotApplicable::NonFinite`], [`NotApplicable::ClassOutOfRange`] for a label,
    /// [`NotApplicable::NotProbabilities`] for a row that leaves 0..=1 or sums to less or more
    /// than 1 by a thousandth.
    pub fn new(
        probabilities: &[f64],
        labels: &[usize],
        classes: usize,
    ) -> Result<Self, NotApplicable> {
        if classes == 0 || labels.is_empty() {
            return Err(NotApplicable::Empty);
        }
        if labels.len().checked_mul(classes) != Some(probabilities.len()) {
            return Err(NotApplicable::LengthMismatch);
        }
        let n = labels.len();
        let mut read = Self {
            prediction: Vec::with_capacity(n),
            confidence: Vec::with_capacity(n),
            right: Vec::with_capacity(n),
            log_loss: Vec::with_capacity(n),
            brier: Vec::with_capacity(n),
        };
        for (row, &label) in probabilities.chunks_exact(classes).zip(labels) {
            read.push(row, label)?;
        }
        Ok(read)
    }

    fn push(&mut self, row: &[f64], label: usize) -> Result<(), NotApplicable> {
        let &of_label = row.get(label).ok_or(NotApplicable::ClassOutOfRange)?;
        let mut sum = 0.0;
        let mut squares = 0.0;
        let mut best = 0;
        for (class, &p) in row.iter().enumerate() {
            if !p.is_finite() {
                return Err(NotApplicable::NonFinite);
            }
            if !(0.0..=1.0 + SUM_TOLERANCE).contains(&p) {
                return Err(NotApplicable::NotProbabilities);
            }
            sum += p;
            squares += p * p;
            if p > row[best] {
                best = class;
            }
        }
        if (sum - 1.0).abs() > SUM_TOLERANCE {
            return Err(NotApplicable::NotProbabilities);
        }
        self.prediction.push(best);
        self.confidence.push(row[best].min(1.0));
        self.right.push(best == label);
        // −0 for certainty would print as such.
        self.log_loss
            .push((-of_label.clamp(f64::EPSILON, 1.0).ln()).max(0.0));
        // Σ_k (p_k − y_k)² with y the one-hot label.
        self.brier.push((squares - 2.0 * of_label + 1.0).max(0.0));
        Ok(())
    }

    /// The predicted class of each example.
    #[must_use]
    pub fn predictions(&self) -> &[usize] {
        &self.prediction
    }

    /// The probability of each example's predicted class, in 0..=1.
    #[must_use]
    pub fn confidences(&self) -> &[f64] {
        &self.confidence
    }

    /// Whether each example's prediction is its label.
    #[must_use]
    pub fn right(&self) -> &[bool] {
        &self.right
    }

    /// The log loss of each example in nats: −ln of the label's probability, which counts as
    /// 2.2e-16 where it is below (as in scikit-learn), so that no example is infinitely wrong.
    #[must_use]
    pub fn log_losses(&self) -> &[f64] {
        &self.log_loss
    }

    /// The Brier score of each example, `Σ_k (p_k − y_k)²` in 0..=2 (Brier 1950).
    #[must_use]
    pub fn briers(&self) -> &[f64] {
        &self.brier
    }

    /// `bins` ranges of equal width over 0..=1, open below and closed above (Guo et al. 2017).
    #[must_use]
    pub fn equal_width(&self, bins: usize) -> Vec<ReliabilityBin> {
        let bins = bins.max(1);
        let edge = |bin: usize| bin as f64 / bins as f64;
        let mut sums = vec![(0u64, 0.0, 0u64); bins];
        for (&confidence, &right) in self.confidence.iter().zip(&self.right) {
            let mut bin = ((confidence * bins as f64).ceil() as usize).clamp(1, bins) - 1;
            // The product may round across an edge.
            if bin > 0 && confidence <= edge(bin) {
                bin -= 1;
            } else if bin + 1 < bins && confidence > edge(bin + 1) {
                bin += 1;
            }
            let (count, total, hits) = &mut sums[bin];
            *count += 1;
            *total += confidence;
            *hits += u64::from(right);
        }
        let bins = sums.into_iter().enumerate();
        bins.map(|(bin, (count, total, hits))| {
            let mean = |sum: f64| if count == 0 { 0.0 } else { sum / count as f64 };
            ReliabilityBin {
                low: edge(bin),
                high: edge(bin + 1),
                count,
                confidence: mean(total),
                accuracy: mean(hits as f64),
            }
        })
        .collect()
    }

    /// At most `bins` ranges that hold the same number of examples, give or take one, in order
    /// of confidence (Nguyen and O'Connor 2015; Nixon et al. 2019). Examples of equal confidence
    /// may be parted; each then counts as right by their common share, so that the result does
    /// not depend on the order of examples.
    #[must_use]
    pub fn equal_mass(&self, bins: usize) -> Vec<ReliabilityBin> {
        let n = self.confidence.len();
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_unstable_by(|&a, &b| self.confidence[a].total_cmp(&self.confidence[b]));
        let sorted: Vec<f64> = order.iter().map(|&i| self.confidence[i]).collect();
        let mut right = Vec::with_capacity(n);
        for tied in order.chunk_by(|&a, &b| self.confidence[a] == self.confidence[b]) {
            let hits = tied.iter().filter(|&&i| self.right[i]).count();
            right.resize(right.len() + tied.len(), hits as f64 / tied.len() as f64);
        }
        let bins = bins.clamp(1, n.max(1));
        let mut low = 0.0;
        (0..bins)
            .map(|bin| {
                let range = bin * n / bins..(bin + 1) * n / bins;
                let count = range.len() as f64;
                let high = if bin + 1 == bins {
                    1.0
                } else {
                    sorted[range.end - 1]
                };
                let found = ReliabilityBin {
                    low,
                    high,
                    count: range.len() as u64,
                    confidence: sorted[range.clone()].iter().sum::<f64>() / count,
                    accuracy: right[range].iter().sum::<f64>() / count,
                };
                low = high;
                found
            })
            .collect()
    }

    /// The score with catalogue id `id` (`log_loss`, `brier`, `ece`, `adaptive_ece`, `mce`), in
    /// 15 bins; `None` for another id.
    ///
    /// `ece` is the mean over examples of |accuracy − confidence| of their bin, `mce` the
    /// greatest over the bins that hold examples.
    #[must_use]
    pub fn score(&self, id: &str) -> Option<Score> {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        Some(finite(match id {
            "log_loss" => mean(&self.log_loss),
            "brier" => mean(&self.brier),
            "ece" => expected_error(&self.equal_width(DEFAULT_BINS)),
            "adaptive_ece" => expected_error(&self.equal_mass(DEFAULT_BINS)),
            "mce" => greatest_error(&self.equal_width(DEFAULT_BINS)),
            _ => return None,
        }))
    }
}

/// Mean over the examples of |accuracy − confidence| of their bin; 0 without examples.
#[must_use]
pub fn expected_error(bins: &[ReliabilityBin]) -> f64 {
    let total: u64 = bins.iter().map(|bin| bin.count).sum();
    let sum: f64 = bins
        .iter()
        .map(|bin| bin.count as f64 * bin.gap().abs())
        .sum();
    if total == 0 { 0.0 } else { sum / total as f64 }
}

/// Greatest |accuracy − confidence| of the bins that hold examples; 0 without examples.
#[must_use]
pub fn greatest_error(bins: &[ReliabilityBin]) -> f64 {
    let held = bins.iter().filter(|bin| bin.count > 0);
    held.map(|bin| bin.gap().abs()).fold(0.0, f64::max)
}

/// The softmax of each row of `logits`, `[n, classes]`, in double precision, in which no logit
/// that single precision can hold apart is lost: the log loss of the result is the cross-entropy
/// of the logits.
///
/// # Errors
/// [`NotApplicable::Empty`] without classes, [`NotApplicable::LengthMismatch`] for a last row
/// that is not full, [`NotApplicable::NonFinite`].
pub fn softmax(logits: &[f32], classes: usize) -> Result<Vec<f64>, NotApplicable> {
    if classes == 0 {
        return Err(NotApplicable::Empty);
    }
    if !logits.len().is_multiple_of(classes) {
        return Err(NotApplicable::LengthMismatch);
    }
    let mut probabilities = Vec::with_capacity(logits.len());
    for row in logits.chunks_exact(classes) {
        if row.iter().any(|logit| !logit.is_finite()) {
            return Err(NotApplicable::NonFinite);
        }
        let highest = f64::from(row.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let start = probabilities.len();
        probabilities.extend(row.iter().map(|&logit| (f64::from(logit) - highest).exp()));
        let total: f64 = probabilities[start..].iter().sum();
        probabilities[start..].iter_mut().for_each(|p| *p /= total);
    }
    Ok(probabilities)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    /// Two classes, the label 0: confidence and whether it is right, example by example.
    fn sample(examples: &[(f64, bool)]) -> Calibration {
        let mut probabilities = Vec::new();
        for &(confidence, right) in examples {
            let first = if right { confidence } else { 1.0 - confidence };
            probabilities.extend([first, 1.0 - first]);
        }
        Calibration::new(&probabilities, &vec![0; examples.len()], 2).unwrap()
    }

    #[test]
    fn calibration_errors_by_hand() {
        // Fifths: two examples in (0.6, 0.8], two in (0.8, 1].
        let found = sample(&[(0.7, true), (0.8, false), (0.9, true), (1.0, true)]);
        let bins = found.equal_width(5);
        assert_eq!(
            bins.iter().map(|bin| bin.count).collect::<Vec<_>>(),
            [0, 0, 0, 2, 2]
        );
        assert!(close(bins[3].confidence, 0.75) && close(bins[3].accuracy, 0.5));
        assert!(close(bins[4].gap(), 0.05));
        assert!(close(
            expected_error(&bins),
            (2.0 * 0.25 + 2.0 * 0.05) / 4.0
        ));
        assert!(close(greatest_error(&bins), 0.25));
    }

    #[test]
    fn edges_belong_to_the_bin_below() {
        // 0.6·15 rounds above 9 in some orders of evaluation.
        let found = sample(&[(9.0 / 15.0, true), (10.0 / 15.0, true), (1.0, false)]);
        let counts: Vec<u64> = found.equal_width(15).iter().map(|bin| bin.count).collect();
        assert_eq!((counts[8], counts[9], counts[14]), (1, 1, 1));
        for bins in 1..40 {
            for edge in bins / 2 + 1..=bins {
                let found = sample(&[(edge as f64 / bins as f64, true)]);
                assert_eq!(found.equal_width(bins)[edge - 1].count, 1, "{edge}/{bins}");
            }
        }
    }

    #[test]
    fn equal_mass_by_hand() {
        let found = sample(&[(0.6, false), (0.7, true), (0.8, true), (0.9, true)]);
        let bins = found.equal_mass(2);
        assert_eq!((bins[0].count, bins[1].count), (2, 2));
        assert!(close(bins[0].confidence, 0.65) && close(bins[0].accuracy, 0.5));
        assert!(close(bins[1].confidence, 0.85) && close(bins[1].accuracy, 1.0));
        assert!(close(expected_error(&bins), (0.15 + 0.15) / 2.0));
        assert_eq!((bins[0].low, bins[0].high, bins[1].high), (0.0, 0.7, 1.0));
        // More bins than examples: one each.
        assert_eq!(found.equal_mass(99).len(), 4);
    }

    #[test]
    fn equal_mass_does_not_depend_on_the_order_of_ties() {
        let one = sample(&[(0.8, true), (0.8, true), (0.8, false), (0.8, false)]);
        let other = sample(&[(0.8, false), (0.8, true), (0.8, false), (0.8, true)]);
        assert_eq!(one.equal_mass(2), other.equal_mass(2));
        assert!(close(expected_error(&one.equal_mass(2)), 0.3));
    }

    #[test]
    fn proper_scores_by_hand() {
        let found = Calibration::new(&[0.5, 0.25, 0.25, 0.1, 0.9, 0.0], &[0, 2], 3).unwrap();
        assert!(close(found.briers()[0], 0.25 + 0.0625 + 0.0625));
        assert!(close(found.briers()[1], 0.01 + 0.81 + 1.0));
        assert!(close(found.log_losses()[0], 2f64.ln()));
        assert!(close(found.log_losses()[1], -f64::EPSILON.ln()));
        assert_eq!(found.predictions(), [0, 1]);
        assert_eq!(found.right(), [true, false]);
        assert_eq!(found.score("gini"), None);
    }

    #[test]
    fn a_sure_and_right_model_has_no_loss() {
        let found = Calibration::new(&[1.0, 0.0], &[0], 2).unwrap();
        for id in ["log_loss", "brier", "ece", "adaptive_ece", "mce"] {
            let value = found.score(id).unwrap().unwrap();
            assert!(value == 0.0 && value.is_sign_positive(), "{id} {value}");
        }
    }

    #[test]
    fn softmax_keeps_what_single_precision_would_lose() {
        let found = softmax(&[0.0, -200.0, 200.0, 0.0], 2).unwrap();
        assert!(close(found[0], 1.0) && found[1] > 0.0 && found[3] > 0.0);
        assert!(close(found[1].ln(), -200.0));
        assert_eq!(softmax(&[f32::NAN, 0.0], 2), Err(NotApplicable::NonFinite));
        assert_eq!(softmax(&[0.0; 3], 2), Err(NotApplicable::LengthMismatch));
        assert_eq!(softmax(&[], 0), Err(NotApplicable::Empty));
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        let read = |row: &[f64], label| Calibration::new(row, &[label], 2).map(|_| ());
        assert_eq!(read(&[0.5, 0.6], 0), Err(NotApplicable::NotProbabilities));
        assert_eq!(read(&[1.5, -0.5], 0), Err(NotApplicable::NotProbabilities));
        assert_eq!(read(&[f64::NAN, 1.0], 0), Err(NotApplicable::NonFinite));
        assert_eq!(read(&[0.5, 0.5], 2), Err(NotApplicable::ClassOutOfRange));
        assert_eq!(read(&[0.5], 0), Err(NotApplicable::LengthMismatch));
        assert_eq!(Calibration::new(&[], &[], 2), Err(NotApplicable::Empty));
    }
}
