//! Does the model react to the pixels the map points at?
//!
//! These scores need the model, which this crate does not have. It gives the perturbed rows,
//! one at a time into a buffer of the caller's, and turns the model's answers into a score; the
//! caller packs rows of many images and steps into its batches. A row is `[channels, d]` with
//! d = height × width; a pixel is replaced in all channels together. A table's row is one line of
//! d columns.
//!
//! Three kinds of rows serve all scores:
//!
//! - **cumulative** ([`PerturbationPlan`]): pixels, patches or segments removed from the image one
//!   after another, or restored to the baseline, in the order of the map;
//! - **of subsets** ([`FaithfulnessSubsets`], [`Regions`]): random subsets and single patches,
//!   which do not depend on the map, so that all explainers share the model's answers;
//! - **noisy** ([`NoiseRows`], [`LinearImputer`]): pixels under Gaussian noise, or filled in from
//!   their neighbours.
//!
//! The outcome of a row is the softmax probability of the target class ([`softmax_probability`]),
//! as in Petsiuk et al. 2018, or, where a score's axiom is about the model's own output (its
//! logits), that output. Probabilities are bounded, and comparable between models; they saturate
//! where a model is sure.

mod correlation;
mod curve;
mod imputation;
mod infidelity;
mod noise;
mod plan;
mod regions;
mod subsets;

pub use correlation::{
    correlation_of_drops, faithfulness_correlation, mean_correlation, rank_correlation_of_drops,
};
pub use curve::{
    aopc, curve_mean, irof, mean_drop, mean_gap, monotonicity, normalised_curve_auc, share_kept,
};
pub use imputation::LinearImputer;
pub use infidelity::infidelity;
pub use noise::{NoiseRows, standard_normals};
pub use plan::{PerturbationPlan, PlanWalk};
pub use regions::Regions;
pub use subsets::FaithfulnessSubsets;

use crate::not_applicable::finite;
use crate::{NotApplicable, Score};

/// Steps from image to baseline unless a suite says otherwise.
pub const DEFAULT_STEPS: usize = 28;
/// Share of the pixels in a subset of faithfulness correlation unless a suite says otherwise:
/// the published 224, of 784.
pub const DEFAULT_SUBSET_SHARE: f64 = 2.0 / 7.0;
/// Subsets of faithfulness correlation unless a suite says otherwise.
pub const DEFAULT_SUBSETS: usize = 100;
/// The least drop from image to baseline, as a share of the image's outcome, that a curve may
/// be divided by. Below it the scaled curve shows the noise of the model, magnified.
pub const LEAST_RELATIVE_DROP: f64 = 0.05;
/// The least spread of outcomes, as a probability, that a correlation may rest on; single
/// precision resolves probabilities near 1 to 6e-8.
pub const LEAST_OUTCOME_SPREAD: f64 = 1e-6;
/// The least spread of a model's own outputs that a score may rest on, as a share of the greater
/// of its outputs on image and baseline: what single precision leaves of a network's sums.
pub const LEAST_OUTPUT_SPREAD: f64 = 1e-5;

/// The softmax probability of class `target` among `logits`, in double precision.
///
/// # Errors
/// [`NotApplicable::ClassOutOfRange`], and [`NotApplicable::NonFinite`] for logits that are NaN
/// or infinite.
pub fn softmax_probability(logits: &[f32], target: usize) -> Score {
    let &chosen = logits.get(target).ok_or(NotApplicable::ClassOutOfRange)?;
    if logits.iter().any(|logit| !logit.is_finite()) {
        return Err(NotApplicable::NonFinite);
    }
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shifted = |logit: f32| (f64::from(logit) - f64::from(highest)).exp();
    let total: f64 = logits.iter().map(|&logit| shifted(logit)).sum();
    finite(shifted(chosen) / total)
}

/// Difference of the greatest and the least value; −∞ without values.
fn spread(values: &[f64]) -> f64 {
    let (low, high) = values
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &value| {
            (value.min(low), value.max(high))
        });
    high - low
}

fn check_row(
    pixels: usize,
    image: &[f32],
    baseline: &[f32],
    row: &[f32],
) -> Result<(), NotApplicable> {
    let fits = pixels > 0
        && !image.is_empty()
        && image.len().is_multiple_of(pixels)
        && image.len() == baseline.len()
        && image.len() == row.len();
    if fits {
        Ok(())
    } else {
        Err(NotApplicable::LengthMismatch)
    }
}

fn replace(pixels: &[u32], size: usize, source: &[f32], row: &mut [f32]) {
    for (row, source) in row.chunks_exact_mut(size).zip(source.chunks_exact(size)) {
        for &pixel in pixels {
            row[pixel as usize] = source[pixel as usize];
        }
    }
}
