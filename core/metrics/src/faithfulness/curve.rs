//! Scores of the outcomes along a walk from image to baseline.

use super::{LEAST_OUTCOME_SPREAD, LEAST_RELATIVE_DROP};
use crate::not_applicable::finite;
use crate::{NotApplicable, Score};

/// How far an outcome may fall below the one before and still count as not falling: what single
/// precision leaves of equal probabilities.
const FALL: f64 = 1e-6;

/// Area under a deletion or insertion curve over the share of pixels touched, scaled so that
/// the baseline's outcome counts 0 and the image's 1 (Petsiuk et al. 2018, section 4.1).
///
/// `curve` holds the outcomes of steps 0..=K, both ends included, at even spacing; the area is
/// the trapezoid rule on `(f_k − f_b) / (f_0 − f_b)`. A curve falling in a straight line scores
/// 1/2. Low is good for deletion, high for insertion. The value may leave 0..=1 where a
/// perturbed row's outcome lies beyond both ends.
///
/// # Errors
/// [`NotApplicable::BaselineAboveImage`] where the baseline looks at least as much like the
/// class as the image does, [`NotApplicable::ConstantOutcome`] where the drop is less than
/// [`LEAST_RELATIVE_DROP`] of the image's outcome, [`NotApplicable::Empty`] for fewer than two
/// points. The first two depend on image, model and baseline alone, so that all explainers lose
/// the same images.
pub fn normalised_curve_auc(curve: &[f64], image: f64, baseline: f64) -> Score {
    if !(image.is_finite() && baseline.is_finite()) {
        return Err(NotApplicable::NonFinite);
    }
    let drop = image - baseline;
    if drop <= 0.0 {
        return Err(NotApplicable::BaselineAboveImage);
    }
    if drop < LEAST_RELATIVE_DROP * image.abs() {
        return Err(NotApplicable::ConstantOutcome);
    }
    finite((curve_mean(curve)? - baseline) / drop)
}

/// Area under a curve over 0..=1 by the trapezoid rule, its points at even spacing: the mean
/// outcome on the way.
///
/// Of a curve of removal by falling attribution this is pixel flipping (Bach et al. 2015,
/// section 5.2) with pixels, and selectivity (Montavon et al. 2018, section 6.3) with patches. The
/// area of the insertion curve less that of the deletion curve is the area between the perturbation
/// curves, least relevant first and most relevant first (ABPC: Samek et al. 2017, section III).
///
/// # Errors
/// [`NotApplicable::Empty`] for fewer than two points, [`NotApplicable::NonFinite`].
pub fn curve_mean(curve: &[f64]) -> Score {
    let [first, inner @ .., last] = curve else {
        return Err(NotApplicable::Empty);
    };
    let sum = (first + last) / 2.0 + inner.iter().sum::<f64>();
    finite(sum / (inner.len() + 1) as f64)
}

/// Area over the perturbation curve, `Σ_k (f_0 − f_k) / (L + 1)` over k = 0..=L (Samek et al.
/// 2017, equation 12).
///
/// # Errors
/// [`NotApplicable::Empty`] for fewer than two points, [`NotApplicable::NonFinite`].
pub fn aopc(curve: &[f64]) -> Score {
    let [first, _, ..] = curve else {
        return Err(NotApplicable::Empty);
    };
    let sum: f64 = curve.iter().map(|outcome| first - outcome).sum();
    finite(sum / curve.len() as f64)
}

/// Area over the curve `f_k / f_0` of segments removed, over the share of segments (Rieger and
/// Hansen 2020, equation 3, divided by the number of segments, so that images compare).
///
/// # Errors
/// As [`curve_mean`], and [`NotApplicable::ConstantOutcome`] where the image's outcome is less than
/// [`LEAST_OUTCOME_SPREAD`], so that it cannot be divided by.
pub fn irof(curve: &[f64]) -> Score {
    let area = curve_mean(curve)?;
    if curve[0] < LEAST_OUTCOME_SPREAD {
        return Err(NotApplicable::ConstantOutcome);
    }
    finite(1.0 - area / curve[0])
}

/// 1 if no outcome falls below the one before, else 0: `curve` holds the outcomes from baseline to
/// image as features are added by rising attribution (Luss et al. 2019; Arya et al. 2019).
///
/// A fall by less than 10⁻⁶ is rounding and does not count.
///
/// # Errors
/// [`NotApplicable::Empty`] for fewer than two points, [`NotApplicable::NonFinite`], and
/// [`NotApplicable::ConstantOutcome`] where no outcome differs from another by more than that, since
/// every map is monotone then.
pub fn monotonicity(curve: &[f64]) -> Score {
    if curve.len() < 2 {
        return Err(NotApplicable::Empty);
    }
    if !curve.iter().all(|outcome| outcome.is_finite()) {
        return Err(NotApplicable::NonFinite);
    }
    if super::spread(curve) <= FALL {
        return Err(NotApplicable::ConstantOutcome);
    }
    let falls = curve.windows(2).any(|pair| pair[1] < pair[0] - FALL);
    Ok(if falls { 0.0 } else { 1.0 })
}

/// The mean of `f(x) − f(x′)` over the outcomes of perturbed rows: comprehensiveness where they
/// lack the highest pixels, sufficiency where they have those alone (DeYoung et al. 2020,
/// equations 1 and 2, averaged over the sizes).
///
/// # Errors
/// [`NotApplicable::Empty`] without outcomes, [`NotApplicable::NonFinite`].
pub fn mean_drop(image: f64, outcomes: &[f64]) -> Score {
    mean(outcomes, |outcome| image - outcome)
}

/// The mean of `|f(x) − f(x′)|` over the outcomes of perturbed rows: the prediction gap on
/// important features where noise is on those, on unimportant ones where it is on all others
/// (Agarwal et al. 2022, OpenXAI, section 3).
///
/// # Errors
/// As [`mean_drop`].
pub fn mean_gap(image: f64, outcomes: &[f64]) -> Score {
    mean(outcomes, |outcome| (image - outcome).abs())
}

/// The share of rows that the model still gives the target class (ROAD: Rong et al. 2022, whose
/// curve is the mean over images of each row).
///
/// # Errors
/// [`NotApplicable::Empty`] without rows.
pub fn share_kept(kept: &[bool]) -> Score {
    if kept.is_empty() {
        return Err(NotApplicable::Empty);
    }
    let count = kept.iter().filter(|&&kept| kept).count();
    finite(count as f64 / kept.len() as f64)
}

fn mean(outcomes: &[f64], value: impl Fn(f64) -> f64) -> Score {
    if outcomes.is_empty() {
        return Err(NotApplicable::Empty);
    }
    let sum: f64 = outcomes.iter().map(|&outcome| value(outcome)).sum();
    finite(sum / outcomes.len() as f64)
}
